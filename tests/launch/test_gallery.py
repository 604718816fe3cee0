"""Several people in one call, whole portraits, and the driver's sound."""

import json

import numpy as np
import pytest

from flaxheads.data.image import write_png
from flaxheads.data.sound import has_sound
from flaxheads.data.video import read_video
from flaxheads.provenance import credentials
from tests.data.test_sound import hear
from tests.launch import footage
from tests.launch.commands import call


def test_a_gallery_is_whole_where_one_person_fails(things, talking, tmp_path):
  output = tmp_path / 'gallery'
  done = call(
    'animate',
    f'--person={things.person}',
    f'--person={things.folder / "nobody"}',
    f'--person={things.person}',
    f'--driver={talking}',
    '--paste_back',
    f'--output={output}',
  )
  assert done.code == 2
  lines = done.err.strip().splitlines()
  assert 'nobody: no such folder' in lines[-2]
  assert '1 of 3 failed, see above: nobody; the others are done' in lines[-1]
  assert {path.name for path in output.iterdir()} == {'person', 'person_2'}
  names = {path.name for path in (output / 'person_2').iterdir()}
  assert names == {
    'talking.mp4',
    'side_by_side.mp4',
    'contact_sheet.png',
    'report.json',
  }
  video = read_video(output / 'person' / 'talking.mp4')
  assert np.shape(video.frames) == (6, footage.SIDE, footage.SIDE, 3)
  for name in ('talking.mp4', 'side_by_side.mp4'):
    starts, length = hear(output / 'person' / name)
    np.testing.assert_allclose(starts, [0.1], atol=0.03)
    assert length == pytest.approx(0.24, abs=0.05)
  report = json.loads((output / 'person' / 'report.json').read_text())
  assert report['pasted_back'] is True
  assert report['drivers'][0]['motion'] == 'absolute'
  verified = call('verify', '--json', output / 'person' / 'talking.mp4')
  (item,) = json.loads(verified.out)
  assert (item['verdict'], item['credentials']) == ('synthetic', 'trusted')
  # A drawn head in a picture that is not: C2PA has a word for it.
  for name in ('talking.mp4', 'side_by_side.mp4', 'contact_sheet.png'):
    given = credentials.read(output / 'person' / name)
    assert given.source_type == credentials.COMPOSITE


def test_a_picture_moves_itself(things, talking, tmp_path):
  arguments = (
    'animate',
    f'--model={things.model}',
    '--confirm_rights',
    f'--driver={talking}',
    '--nosound',
    '--size=64',
  )
  for source in (talking, things.picture):
    output = tmp_path / f'{source.stem}.mp4'
    done = call(*arguments, f'--source={source}', f'--output={output}')
    assert done.code == 0, done.err
    assert not has_sound(output)
    report = json.loads(output.with_suffix('.mp4.report.json').read_text())
    assert report['drivers'][0]['motion'] == 'absolute'


def test_several_people_are_fine_tuned(things, tmp_path):
  folder = tmp_path / 'two'
  footage.write_pictures(folder, 2)
  write_png(tmp_path / 'empty.png', np.full((96, 96, 3), 200, np.uint8))
  output = tmp_path / 'people'
  sources = [tmp_path / 'empty.png', things.picture, folder]
  done = call(
    'finetune',
    f'--model={things.model}',
    *(f'--source={source}' for source in sources),
    '--confirm_rights',
    '--num_steps=1',
    f'--output={output}',
  )
  assert done.code == 2
  assert 'empty.png: no face found in the image' in done.err
  assert '1 of 3 failed, see above: empty' in done.err.splitlines()[-1]
  assert {path.name for path in output.iterdir()} == {'picture', 'two'}
  report = json.loads((output / 'two' / 'report.json').read_text())
  assert report['num_shots'] == 2


def test_wrong_words_are_told(things, tmp_path):
  base = ('animate', f'--person={things.person}', f'--driver={things.video}')
  done = call(*base, '--motion=no', f'--output={tmp_path / "a.mp4"}')
  assert done.code == 2
  assert "--motion: 'no' is not one of auto, relative, absolute" in done.err
  done = call(*base, f'--person={things.person}', f'--output={tmp_path}/a.mp4')
  assert done.code == 2
  assert 'several people' in done.err
  assert list(tmp_path.iterdir()) == []
