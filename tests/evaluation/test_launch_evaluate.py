"""The command: what it leaves, what it refuses, and how."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

from flaxheads.data import records
from flaxheads.provenance import credentials, identity
from tests.evaluation.faces import make_person

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIZE = 32


def _run(*arguments, **environment):
  return subprocess.run(
    [sys.executable, '-m', 'launch.evaluate', *arguments],
    capture_output=True,
    text=True,
    cwd=ROOT,
    env={**os.environ, **environment},
    check=False,
  )


class TinyHeads(tfds.core.GeneratorBasedBuilder):
  """Two made-up people of twelve frames."""

  code_path = None  # nothing is downloaded: no checksums to look for
  VERSION = tfds.core.Version('1.0.0')

  def _info(self):
    return tfds.core.DatasetInfo(builder=self, features=records.features())

  def _split_generators(self, dl_manager):
    return {'test': self._generate_examples()}

  def _generate_examples(self):
    for i in range(2):
      person = make_person(num_frames=12, size=SIZE, seed=i)
      yield (
        f'person{i}',
        records.make_record(
          person.frames,
          person.points,
          np.arange(12) / 25,
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


def test_baselines_on_records(data_dir, tmp_path):
  output = tmp_path / 'a' / 'b'
  command = (
    '--dataset=tiny_heads',
    f'--data_dir={data_dir}',
    '--methods=nearest,warp',
    '--num_shots=4,1',
    f'--image_size={SIZE}',
    '--detector=none',
    f'--output={output}',
  )
  done = _run(*command)
  assert done.returncode == 0, done.stderr
  report = json.loads((output / 'report.json').read_text())
  assert {
    (r['person'], r['num_shots'], r['method']) for r in report['rows']
  } == {
    (f'person{i}/0', t, method)
    for i in range(2) for t in (1, 4) for method in ('nearest', 'warp')
  }  # fmt: skip
  assert report['settings']['num_shots'] == [1, 4]
  assert (output / 'table.md').read_text() in done.stdout
  signed = credentials.read(output / 'comparison.png', identity.trusted_roots())
  assert (signed.state, signed.source_type) == (
    'trusted',
    credentials.COMPOSITE,
  )

  # Again: the very same rows, times included, so nothing was done twice.
  assert _run(*command).returncode == 0
  again = json.loads((output / 'report.json').read_text())
  assert again['rows'] == report['rows']
  assert len((output / 'results.jsonl').read_text().splitlines()) == 8

  # Six of twelve frames are support: more can't be asked for.
  refused = _run(*command, '--num_shots=7', f'--output={tmp_path / "c"}')
  assert refused.returncode == 2
  assert 'ask for at most 6' in refused.stderr
  assert 'Traceback' not in refused.stderr
  assert not (tmp_path / 'c').exists()


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ((), '--output is missing'),
    (('--output=OUT',), 'either --dataset (with --data_dir) or --source'),
    (('--output=OUT', '--dataset=x'), '--data_dir is missing'),
    (('--output=OUT', '--source=x', '--methods=gan'), "'gan' is not one of"),
    (('--output=OUT', '--source=x', '--num_shots=1,b'), '--num_shots=1,b'),
    (
      ('--output=OUT', '--source=x.mp4', '--methods=warp', '--detector=none'),
      'x.mp4 does not exist',
    ),
  ],
)  # fmt: skip
def test_mistakes_are_one_line_and_leave_nothing(arguments, message, tmp_path):
  output = tmp_path / 'out'
  done = _run(*[a.replace('OUT', str(output)) for a in arguments])
  assert done.returncode == 2, done.stderr
  assert message in done.stderr
  assert 'Traceback' not in done.stderr
  assert not output.exists()
