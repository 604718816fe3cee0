"""Every output says what it is, and no face is used without a question."""

import json
import os
import pty
import shutil
import subprocess
import sys

import pytest

from flaxheads.data.image import write_png
from flaxheads.provenance import examine, identity
from flaxheads.provenance.credentials import read
from flaxheads.provenance.marks import Marks
from tests.launch import footage
from tests.launch.commands import PYTHON, ROOT, call

OFF = '--without_marks_i_will_label_it_myself'


def run(name, *arguments):
  done = call(name, *arguments)
  assert done.code == 0, done.err
  return done


def verify(*arguments):
  return json.loads(run('verify', '--json', *arguments).out)


def facts_of(path):
  return read(path, identity.trusted_roots()).facts


@pytest.fixture(scope='module')
def folder(things, tmp_path_factory):
  folder = tmp_path_factory.mktemp('out') / 'folder'
  run(
    'animate',
    f'--person={things.person}',
    f'--driver={things.video}',
    '--png_frames',
    '--size=128',
    f'--output={folder}',
  )
  return folder


def test_every_file_of_an_animation_is_signed(folder):
  found = {item['file'].rsplit('/', 1)[-1]: item for item in verify(folder)}
  assert len(found) == 3 + 6  # video, side by side, sheet; and the frames
  for item in found.values():
    assert item['credentials'] == 'trusted'
    assert item['verdict'] == 'synthetic'
    assert item['facts']['method'] == 'feed-forward'
    assert item['facts']['ingredients'][1] == {
      'role': 'driver',
      'sha256': item['facts']['ingredients'][1]['sha256'],
    }
    assert item['watermark'].get('matches_manifest', True)
  assert found['video.mp4']['watermark']['found']
  report = json.loads((folder / 'report.json').read_text())
  assert report['marks'] == {
    'credentials': True,
    'watermark': found['video.mp4']['watermark']['payload'],
    'visible_label': False,
  }


def test_verify_speaks_plainly(folder):
  done = run('verify', folder / 'video.mp4', folder / 'contact_sheet.png')
  assert f'{folder}/video.mp4: synthetic\n' in done.out
  assert '  credentials: trusted by flaxheads, flaxheads signer\n' in done.out
  assert 'as signed' in done.out
  assert done.out.count('synthetic') == 2


def test_one_bad_file_of_a_folder_stops_no_other(folder, tmp_path):
  shutil.copy(folder / 'contact_sheet.png', tmp_path / 'a.png')
  with open(tmp_path / 'b.mp4', 'wb') as file:
    file.truncate((4 << 30) + 1)
  shutil.copy(folder / 'contact_sheet.png', tmp_path / 'c.png')
  done = call('verify', '--json', tmp_path)
  assert done.code == 2
  names = [item['file'].rsplit('/', 1)[-1] for item in json.loads(done.out)]
  assert names == ['a.png', 'c.png']
  lines = done.err.strip().splitlines()
  assert 'b.mp4: larger than 4 GiB' in lines[-2]
  assert '1 of 3 files could not be examined, see above' in lines[-1]
  alone = call('verify', tmp_path / 'b.mp4')
  assert alone.code == 2
  assert 'b.mp4: larger than 4 GiB' in alone.err.strip().splitlines()[-1]


def test_marks_are_turned_off_by_name_and_reported(things, tmp_path):
  arguments = (f'--person={things.person}', f'--driver={things.video}')
  output = tmp_path / 'a.mp4'
  run('animate', *arguments, OFF, '--size=64', f'--output={output}')
  (item,) = verify(output)
  assert (item['verdict'], item['credentials']) == ('unknown', 'absent')
  assert item['watermark'] == {'found': False}
  report = json.loads((tmp_path / 'a.mp4.report.json').read_text())
  assert report['marks'] == {
    'credentials': False,
    'watermark': None,
    'visible_label': False,
    'turned_off_by': OFF,
  }


def test_ones_own_certificate_signs(things, tmp_path):
  own = identity.make_identity()
  (tmp_path / 'own.pem').write_bytes(own.key + own.chain)
  root = own.chain[own.chain.rindex(b'-----BEGIN') :]
  (tmp_path / 'root.pem').write_bytes(root)
  output = tmp_path / 'a.mp4'
  run(
    'animate',
    f'--person={things.person}',
    f'--driver={things.video}',
    f'--signing_cert={tmp_path / "own.pem"}',
    f'--signing_key={tmp_path / "own.pem"}',
    '--size=64',
    '--visible_label',
    f'--output={output}',
  )
  (item,) = verify(output)
  assert (item['verdict'], item['credentials']) == ('synthetic', 'untrusted')
  assert item['facts']['visible_label'] is True
  (item,) = verify(output, f'--trust={tmp_path / "root.pem"}')
  assert item['credentials'] == 'trusted'


@pytest.mark.parametrize(
  'flags, said',
  [
    ([OFF], f'{OFF}: files of this command are always marked'),
    (['--signing_cert=a.pem'], 'go together: give both'),
    (['--signing_cert=no.pem', '--signing_key=no.pem'], 'no.pem: cannot be'),
  ],
)
def test_the_page_signs_and_marks_always(flags, said):
  done = call('demo', *flags)
  assert done.code == 2
  (line,) = done.err.strip().splitlines()
  assert line.startswith('demo: ') and said in line


def test_confirmed_rights_are_remembered(things, tmp_path):
  person = tmp_path / 'person'
  run(
    'finetune',
    f'--model={things.model}',
    f'--source={things.picture}',
    '--num_steps=1',
    '--confirm_rights',
    f'--output={person}',
  )
  info = json.loads((person / 'person.json').read_text())['info']
  assert info['rights'] == 'by --confirm_rights'
  assert info['source_sha256'] == examine.sha256_of(things.picture)
  output = tmp_path / 'a.mp4'
  run(
    'animate',
    f'--person={person}',
    f'--driver={things.video}',
    '--size=64',
    f'--output={output}',
  )
  facts = facts_of(output)
  assert facts['rights'] == 'by --confirm_rights'
  assert facts['method'] == 'fine-tuned'
  assert facts['model_sha256'] == info['model_sha256']
  assert facts['payload'].startswith(info['model_sha256'][:4])
  assert facts['ingredients'] == [
    {'role': 'portrait', 'sha256': info['source_sha256']},
    {'role': 'driver', 'sha256': examine.sha256_of(things.video)},
  ]


def test_synthetic_heads_need_no_question(things, tmp_path):
  # The face of a person, signed as launch.render_heads signs, stands in for
  # one that it drew: drawing takes longer.
  picture = tmp_path / 'head.png'
  drawn = Marks(identity.installation(), facts={'kind': examine.SYNTHETIC_HEAD})
  write_png(picture, footage.portrait(), drawn.seal)
  run(
    'animate',
    f'--model={things.model}',
    f'--source={picture}',
    f'--driver={things.video}',
    '--size=64',
    f'--output={tmp_path / "a.mp4"}',
  )
  assert facts_of(tmp_path / 'a.mp4')['rights'].startswith('not needed')


def test_render_heads_signs_what_it_draws(tmp_path):
  arguments = ('--image_size=64', '--num_identities=1', '--num_frames=1')
  run('render_heads', '--kind=images', *arguments, f'--output={tmp_path}')
  found = {item['file'].rsplit('/', 1)[-1]: item for item in verify(tmp_path)}
  assert set(found) == {'0000.png', 'sheet.png'}
  for item in found.values():
    assert (item['verdict'], item['credentials']) == ('synthetic', 'trusted')
    assert item['facts']['kind'] == 'synthetic_head'
    assert not item['watermark']['found']
  roots = identity.trusted_roots()
  assert examine.shows_synthetic_heads(tmp_path / '0000', roots)


def _at_a_terminal(answer, *arguments):
  """Runs `finetune` with a terminal on which somebody types `answer`."""
  ours, theirs = pty.openpty()
  process = subprocess.Popen(
    [*PYTHON, '-m', 'launch.finetune', *map(str, arguments)],
    stdin=theirs,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    cwd=ROOT,
  )
  os.write(ours, f'{answer}\n'.encode())
  out, err = process.communicate(timeout=300)
  os.close(ours)
  os.close(theirs)
  return process.returncode, err


@pytest.mark.skipif(sys.platform == 'win32', reason='no pty there')
@pytest.mark.parametrize('answer, code', [('yes', 0), ('no', 2), ('', 2)])
def test_the_question_at_a_terminal(answer, code, things, tmp_path):
  arguments = (
    f'--model={things.model}',
    f'--source={things.picture}',
    '--num_steps=1',
    f'--output={tmp_path / "person"}',
  )
  found, err = _at_a_terminal(answer, *arguments)
  assert found == code, err
  assert f'May you animate who is shown in {things.picture}?' in err
  if code:
    assert 'you have not confirmed that you may animate' in err
    assert list(tmp_path.iterdir()) == []
  else:
    person = json.loads((tmp_path / 'person' / 'person.json').read_text())
    assert person['info']['rights'] == 'at the terminal'


def test_composed_pictures_are_marked_as_well(folder):
  found = {item['file'].rsplit('/', 1)[-1]: item for item in verify(folder)}
  payloads = {
    found[name]['watermark'].get('payload')
    for name in ('video.mp4', 'side_by_side.mp4', 'contact_sheet.png')
  }
  assert len(payloads) == 1 and None not in payloads
