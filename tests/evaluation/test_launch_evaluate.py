"""The command: what it leaves, what it refuses, and how."""

import base64
import itertools
import json
import re

import numpy as np
import pytest
import tensorflow_datasets as tfds

from flaxheads.data import records
from flaxheads.provenance import credentials, identity
from tests.faces import make_person
from tests.launch.commands import call, finish, start

SIZE = 32
METHODS = ('nearest', 'warp')


class TinyHeads(tfds.core.GeneratorBasedBuilder):
  """Two made-up people of twenty frames."""

  code_path = None  # nothing is downloaded: no checksums to look for
  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    return tfds.core.DatasetInfo(builder=self, features=records.features())

  def _split_generators(self, dl_manager):
    return {'test': self._generate_examples()}

  def _generate_examples(self):
    for i in range(2):
      person = make_person(num_frames=20, size=SIZE, seed=i)
      yield (
        f'person{i}',
        records.make_record(
          person.frames,
          person.points,
          np.arange(20) / 25,
          video_id=f'person{i}/0',
          identity_id=f'person{i}',
        ),
      )


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  folder = tmp_path_factory.mktemp('data')
  tfds.disable_progress_bar()
  TinyHeads(data_dir=folder, file_format='array_record').download_and_prepare()
  return folder


def _command(data_dir, output):
  return (
    '--dataset=tiny_heads',
    f'--data_dir={data_dir}',
    '--methods=nearest,warp',
    '--num_shots=4,1',
    f'--image_size={SIZE}',
    '--nodetect',
    f'--output={output}',
  )


@pytest.fixture(scope='module')
def done(data_dir, tmp_path_factory):
  """The output folder of an evaluation, and what it printed."""
  output = tmp_path_factory.mktemp('evaluation') / 'a' / 'b'
  done = finish(start('evaluate', *_command(data_dir, output)))
  assert done.code == 0, done.err
  return output, done.out


def _report(output):
  return json.loads((output / 'report.json').read_text())


def test_baselines_on_records(done):
  output, printed = done
  report = _report(output)
  wanted = {
    (f'person{i}/0', t, method)
    for i in range(2)
    for t, method in [(0, 'real'), *itertools.product((1, 4), METHODS)]
  }
  assert {
    (r['person'], r['num_shots'], r['method']) for r in report['rows']
  } == wanted
  assert {
    (r['person'], r['driver']) for r in report['cross_rows']
  } == {('person0/0', 'person1/0'), ('person1/0', 'person0/0')}  # fmt: skip
  assert report['settings']['num_shots'] == [1, 4]
  assert (output / 'table.md').read_text() in printed
  for words in ('No FID, KID', 'No CSIM', 'No LPIPS', 'No NME', 'No USER'):
    assert words in printed
  for label in ('| FID', '| CSIM', '| LPIPS', '| USER', '| NME', '| realism'):
    assert label not in printed


def test_images_are_signed(done, tmp_path):
  output, _ = done
  page = (output / 'study.html').read_text()
  encoded = re.search('data:image/jpeg;base64,([^"]+)', page)[1]
  picture = tmp_path / 'triplet.jpg'
  picture.write_bytes(base64.b64decode(encoded))
  for path in (
    output / 'comparison.png', output / 'comparison_cross.png', picture
  ):  # fmt: skip
    signed = credentials.read(path, identity.trusted_roots())
    assert signed.state == 'trusted'
    assert signed.source_type == credentials.COMPOSITE
  # Nor does anything in the page tell which of the three is made.
  assert b'nearest' not in picture.read_bytes()


def test_again_nothing_is_done_twice_and_answers_are_counted(
  done, data_dir, tmp_path
):
  output, _ = done
  rows = _report(output)['rows']
  lines = (output / 'results.jsonl').read_text()
  assert len(lines.splitlines()) == 2 * (1 + 4 + 4)
  page = (output / 'study.html').read_text()
  text = re.search(r'application/json">(.*?)</script>', page, re.DOTALL)[1]
  questions = sum(json.loads(text)['rounds'], [])
  answers = [
    {
      'participant': '0' * 16,
      'triplet': question['id'],
      'chosen': question['place'] if 'Nearest' in question['group'] else 0,
    }
    for question in questions
  ]
  path = tmp_path / 'answers.json'
  path.write_text(json.dumps({'answers': answers}))
  again = call(
    'evaluate', *_command(data_dir, output), f'--study_answers={path}'
  )
  assert again.code == 0, again.err
  # The very same rows, times included.
  assert _report(output)['rows'] == rows
  assert (output / 'results.jsonl').read_text() == lines
  assert f'{len(questions)} answers; participants: 1.' in again.out
  found = {
    (entry['num_shots'], entry['method']): entry['user']['mean']
    for entry in _report(output)['summary']
    if entry['method'] != 'real'
  }
  assert found[1, 'nearest'] == found[4, 'nearest'] == 1
  assert 0 <= found[1, 'warp'] < 1
  assert '| Nearest frame (1) |' in again.out and 'USER ↓' in again.out
  foreign = [{**answers[0], 'triplet': 'a' * 16}]
  path.write_text(json.dumps({'answers': foreign}))
  refused = call(
    'evaluate', *_command(data_dir, output), f'--study_answers={path}'
  )
  assert refused.code == 2
  assert 'not of this evaluation' in refused.err
  assert 'Traceback' not in refused.err


def test_too_many_shots_are_refused(data_dir, tmp_path):
  output = tmp_path / 'c'
  refused = call('evaluate', *_command(data_dir, output), '--num_shots=11')
  assert refused.code == 2
  assert 'request at most 10' in refused.err
  assert 'Traceback' not in refused.err
  assert not output.exists()


def test_random_weights_are_marked_in_every_file(data_dir, tmp_path):
  done = call(
    'evaluate',
    *_command(data_dir, tmp_path), '--lpips=random', '--num_shots=1',
    '--methods=nearest', '--study_triplets=0', '--nocross',
  )  # fmt: skip
  assert done.code == 0, done.err
  report = _report(tmp_path)
  assert report['warnings'] and 'random weights' in report['warnings'][0]
  for name in ('report.json', 'results.jsonl'):
    text = (tmp_path / name).read_text()
    assert '"lpips_random_weights"' in text
    assert '"lpips":' not in text.replace('"lpips": "random"', '')  # the flag
  for name in ('table.md', 'report.html'):
    text = (tmp_path / name).read_text()
    named = re.findall(r'LPIPS(?! \(random weights\))', text)
    assert text.count('LPIPS (random weights)') >= 2 and not named
    assert 'Warning' in text
  assert not (tmp_path / 'study.html').exists()
  assert not (tmp_path / 'comparison_cross.png').exists()


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ((), '--output is missing'),
    (('--output=OUT',), 'either --dataset (with --data_dir) or --source'),
    (('--output=OUT', '--dataset=x'), '--data_dir is missing'),
    (('--output=OUT', '--source=x', '--methods=gan'), "'gan' is not one of"),
    (('--output=OUT', '--source=x', '--num_shots=1,b'), '--num_shots=1,b'),
    (
      ('--output=OUT', '--source=x.mp4', '--methods=warp', '--nodetect'),
      'x.mp4: no such file or folder',
    ),
    (
      ('--output=OUT', '--source=x', '--methods=warp', '--arcface=x.st',
       '--nodetect'),
      '--arcface=x.st: no such file; python -m launch.weights --fetch=arcface',
    ),
    (
      ('--output=OUT', '--source=x', '--study_answers=x.json'),
      '--study_answers=x.json: cannot be read',
    ),
    (
      ('--output=OUT', '--source=x', '--study_triplets=-1'),
      '--study_triplets: -1 is too small',
    ),
  ],
)  # fmt: skip
def test_mistakes_are_one_line_and_leave_nothing(arguments, message, tmp_path):
  output = tmp_path / 'out'
  done = call('evaluate', *[a.replace('OUT', str(output)) for a in arguments])
  assert done.code == 2, done.err
  assert message in done.err
  assert 'Traceback' not in done.err
  assert not output.exists()
