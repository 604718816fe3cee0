"""From nothing to a measured, moving person, by the commands alone."""

import json
import pathlib
import re
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

import flaxheads
from flaxheads.data import face_clips
from flaxheads.data.face_clips import load_face_clip
from flaxheads.data.image import read_image, write_png
from flaxheads.data.video import read_video
from flaxheads.fewshot import rendering
from flaxheads.fewshot.animation_job import fit_driver
from flaxheads.landmarks.landmark_files import save_landmarks
from tests.launch import footage
from tests.launch.commands import call, call_all

SIZE = 64


def _done(name, *arguments):
  done = call(name, *arguments)
  assert done.code == 0, done.err
  return done


def _report(folder):
  return json.loads((folder / 'report.json').read_text())


class House(NamedTuple):
  """Where the commands have put things."""

  data_dir: pathlib.Path
  workdir: pathlib.Path
  model: pathlib.Path
  people: pathlib.Path
  footage: pathlib.Path
  log: dict


@pytest.fixture(scope='module')
def material(tmp_path_factory):
  """Two videos, a folder of pictures and a picture of one face."""
  folder = tmp_path_factory.mktemp('footage')
  footage.write_video(folder / 'nod.mp4', 12, 25)
  footage.write_video(folder / 'turn.mp4', 8, 10, swing=-15)
  footage.write_pictures(folder / 'pictures', 3)
  write_png(folder / 'picture.png', footage.portrait())
  return folder


@pytest.fixture(scope='module')
def house(tmp_path_factory, material):
  """Dataset, run, model and three people."""
  root = tmp_path_factory.mktemp('house')
  house = House(
    root / 'data', root / 'run', root / 'model', root / 'people', material, {}
  )
  prepare = (
    'prepare',
    '--dataset=synthetic_heads',
    '--num_identities=2',
    '--num_test_identities=1',
    '--clips_per_identity=1',
    '--num_frames=4',
    f'--image_size={SIZE}',
    f'--data_dir={house.data_dir}',
  )
  train = (
    'train',
    '--config=configs/tiny.py',
    f'--config.data.data_dir={house.data_dir}',
    f'--workdir={house.workdir}',
  )
  export = ('export', f'--workdir={house.workdir}', f'--output={house.model}')
  three = '--config.training.num_steps=3'
  _done(*prepare)
  done, house.log['stderr'] = call_all(
    (*train, '--config.training.num_steps=2'),
    (*train, three),
    (*train, three),
    export,
  )
  assert [each.code for each in done] == [0] * 4, done
  house.log['train'] = [each.out for each in done[:3]]
  for source in ('picture.png', 'pictures', 'nod.mp4'):
    _done(
      'finetune',
      f'--model={house.model}',
      f'--source={material / source}',
      '--confirm_rights',
      '--num_steps=2',
      '--num_shots=1' if source == 'picture.png' else '--num_shots=3',
      f'--output={house.people / source}',
    )
  return house


def test_training_went_on_where_it_stopped(house):
  first, second, third = house.log['train']
  assert f'{house.workdir}: 2 steps' in first
  assert 'resuming from the checkpoint of step 2' in house.log['stderr']
  assert f'{house.workdir}: 3 steps' in second
  assert 'trained already, 3 steps' in third
  checkpoints = house.workdir / 'checkpoints'
  assert {p.name for p in checkpoints.iterdir()} == {'2', '3'}
  # The call that found nothing to do left the report alone.
  report = _report(house.workdir)
  assert report['step'] == 3
  assert report['generator/content'] > 0


def test_training_speaks_for_itself_alone(house):
  """Neither Orbax nor JAX writes into the log of a training."""
  logged = re.findall(r'^[IWE]\d.* (\w+\.py):\d+\]', house.log['stderr'], re.M)
  ours = {'compilation.py', 'content_loss.py', 'loop.py', 'monitor.py'}
  assert set(logged) <= ours, logged
  assert logged.count('loop.py') == 2  # two runs went on


def test_the_model_folder_is_whole(house):
  names = {path.name for path in house.model.iterdir()}
  assert names == {'model.json', 'tensors.safetensors'}
  model = flaxheads.load_model(house.model)
  assert model.info['step'] == 3
  assert model.config.image_size == SIZE
  assert model.info['dataset'] == 'synthetic_heads'


@pytest.mark.parametrize(
  'source, num_shots', [('picture.png', 1), ('pictures', 3), ('nod.mp4', 3)]
)
def test_people_come_from_every_kind_of_source(house, source, num_shots):
  folder = house.people / source
  names = {path.name for path in folder.iterdir()}
  assert names == {'person.json', 'tensors.safetensors', 'report.json'}
  report = _report(folder)
  assert report['num_shots'] == num_shots
  assert report['method'] == 'fine-tuned'
  assert 0 <= report['steps'] <= 2
  assert report['source'] == str(house.footage / source)
  assert report['remarks'] == []
  support = flaxheads.load_support(house.footage / source, SIZE, num_shots)
  person = flaxheads.load_person(folder)
  curve = person.info['curve']
  assert report['curve'] == curve and curve['kept'] == report['steps']
  assert curve['num_validation_frames'] == 0  # so few are all trained on
  assert curve['detector'] == 'attention mesh' and curve['identity']
  assert [look['step'] for look in curve['results']] == [0, 2]
  for look in curve['results']:
    assert 0 <= look['landmark_error'] <= 1 and -1 <= look['identity'] <= 1
  np.testing.assert_array_equal(person.frame, support.frames[0])
  np.testing.assert_allclose(person.points, support.points[0], atol=0.01)


def test_one_driver_makes_one_video(house, tmp_path, monkeypatch):
  person = house.people / 'pictures'
  output = tmp_path / 'moved.mp4'
  kept, render = [], rendering.write_video

  def watch(*arguments, **options):
    kept.append(render(*arguments, **options))
    return kept[-1]

  monkeypatch.setattr(rendering, 'write_video', watch)
  monkeypatch.setattr(face_clips, 'MAX_BYTES', 1)  # of pictures of the driver
  _done(
    'animate',
    f'--person={person}',
    f'--driver={house.footage / "nod.mp4"}',
    '--size=96',
    f'--output={output}',
  )
  assert {p.name for p in tmp_path.iterdir()} == {
    'moved.mp4',
    'moved.mp4.report.json',
  }
  assert kept == [None]  # nothing stays in memory
  video = read_video(output)
  assert np.shape(video.frames) == (12, 96, 96, 3)
  assert video.fps == pytest.approx(25)
  assert not video.truncated
  report = json.loads((tmp_path / 'moved.mp4.report.json').read_text())
  assert report['person'] == str(person)
  assert report['model_size'] == SIZE
  assert report['num_shots'] == 3
  (driver,) = report['drivers']
  assert (driver['frames'], driver['fps']) == (12, 25.0)


def test_several_drivers_fill_a_folder(house, tmp_path):
  clip = load_face_clip(house.footage / 'nod.mp4', SIZE)
  landmarks = tmp_path / 'nod.npz'  # the same name again
  save_landmarks(landmarks, clip.points * 3 + 7, clip.times)
  output = tmp_path / 'a' / 'folder'
  drivers = [house.footage / 'nod.mp4', house.footage / 'turn.mp4', landmarks]
  arguments = (
    f'--person={house.people / "nod.mp4"}',
    *(f'--driver={driver}' for driver in drivers),
    '--size=96',
    '--motion=absolute',
    '--png_frames',
    f'--output={output}',
  )
  _done('animate', *arguments)
  lengths = {'nod': 12, 'turn': 8, 'nod_2': 12}
  assert {p.name for p in output.iterdir()} == {
    *lengths,
    *(f'{name}.mp4' for name in lengths),
    'side_by_side.mp4',
    'contact_sheet.png',
    'report.json',
  }
  assert [p.name for p in output.parent.iterdir()] == ['folder']

  # What the files show is what the person shows with the fitted points.
  person = flaxheads.load_person(house.people / 'nod.mp4')
  options = flaxheads.RenderOptions(motion='absolute')
  luma = [0.299, 0.587, 0.114]
  for name, path in zip(lengths, drivers, strict=True):
    driver = flaxheads.load_driver(path, SIZE)
    fitted, _ = fit_driver(person, driver, options)
    drawn = flaxheads.animate(person, fitted.points)
    pictures = sorted((output / name).iterdir())
    kept = np.stack([read_image(picture) for picture in pictures])
    # But for the watermark, of 42.4 dB.
    assert 1 < np.std(kept.astype(float) - drawn) < 2.2
    video = read_video(output / f'{name}.mp4')
    assert len(video.frames) == lengths[name]
    assert video.fps == pytest.approx(10 if name == 'turn' else 25)
    small = np.stack(
      [
        np.asarray(Image.fromarray(frame).resize((SIZE, SIZE)))
        for frame in video.frames
      ]
    )
    # Means of 4x4 pixels, since a codec drops noise, and brightness, since
    # colour is stored at half the resolution. One frame later is far off.
    shown, wanted = (
      (frames @ luma).reshape(len(frames), 16, 4, 16, 4).mean((2, 4))
      for frames in (small, drawn)
    )
    later = np.abs(shown[1:] - wanted[:-1]).mean()
    assert np.abs(shown - wanted).mean() < later / 4

  # As long as the longest, at the first one's rate: 0.8 s at 25 frames/s.
  together = read_video(output / 'side_by_side.mp4')
  assert np.shape(together.frames) == (20, 2 * 96, 4 * 96, 3)
  assert together.fps == pytest.approx(25)
  height, width, _ = read_image(output / 'contact_sheet.png').shape
  assert height == 4 + 7 * (128 + 4)  # the portrait, and two rows a driver
  assert width > 4 + 8 * (128 + 4)
  report = _report(output)
  assert [driver['name'] for driver in report['drivers']] == list(lengths)
  assert [driver['frames'] for driver in report['drivers']] == [12, 8, 12]

  # Once more into the same folder, which is known for an animation.
  (output / 'mine.txt').write_text('stays')
  _done('animate', *arguments[:2], arguments[-1])
  assert (output / 'mine.txt').read_text() == 'stays'
  assert len(_report(output)['drivers']) == 1


def test_feed_forward_needs_no_person(house, tmp_path):
  output = tmp_path / 'moved.mp4'
  _done(
    'animate',
    f'--model={house.model}',
    f'--source={house.footage / "pictures"}',
    '--confirm_rights',
    '--num_shots=2',
    f'--driver={house.footage / "nod.mp4"}',
    '--max_frames=5',
    '--fps=50',
    f'--output={output}',
  )
  video = read_video(output)
  # Five frames at 25 frames/s last 0.16 s, both ends included.
  assert np.shape(video.frames) == (9, 256, 256, 3)
  assert video.fps == pytest.approx(50)
  report = json.loads((tmp_path / 'moved.mp4.report.json').read_text())
  assert (report['method'], report['num_shots']) == ('feed-forward', 2)
  assert report['drivers'][0]['fps'] == 50
