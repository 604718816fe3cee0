"""Who is evaluated: records by identity, footage by file."""

from typing import NamedTuple

import numpy as np
import pytest

from flaxheads.data import records
from flaxheads.errors import UserError
from flaxheads.evaluation import people
from tests.faces import make_person


class FakeClip(NamedTuple):
  frames: np.ndarray
  points: np.ndarray


def _record(identity, video, brightness):
  frames = np.full((3, 32, 32, 3), brightness, np.uint8)
  points = make_person(num_frames=3).points
  return records.make_record(
    frames, points, np.arange(3.0), video_id=video, identity_id=identity
  )


def test_one_video_an_identity_at_the_models_size():
  source = [
    _record('ann', 'ann/1', 10),
    _record('ann', 'ann/2', 60),
    _record('bob', 'v7', 110),
    _record('eve', 'v8', 160),
  ]
  found = list(people.from_records(source, 16, max_people=2))
  assert [person.name for person in found] == ['ann/1', 'bob/v7']
  for person, brightness in zip(found, (10, 110), strict=True):
    assert person.frames.shape == (3, 16, 16, 3)
    np.testing.assert_allclose(person.frames, brightness, atol=3)  # JPEG
    np.testing.assert_allclose(
      person.points, make_person(num_frames=3).points / 2, rtol=1e-6
    )


def _files(folder, *names):
  folder.mkdir(parents=True, exist_ok=True)
  for name in names:
    (folder / name).write_bytes(b'')
  return folder


def test_sources_are_people(tmp_path):
  videos = _files(tmp_path / 'videos', 'b.mp4', 'a.MOV', 'notes.txt', '.c.mp4')
  pictures = _files(tmp_path / 'pictures', '1.png', '2.jpg')
  single = _files(tmp_path, 'z.mp4') / 'z.mp4'
  assert people.list_sources([single, videos, pictures]) == [
    (single, True),
    (videos / 'a.MOV', False),
    (videos / 'b.mp4', False),
    (pictures, True),
  ]


def test_wrong_sources_are_refused(tmp_path):
  mixed = _files(tmp_path / 'mixed', 'a.mp4', 'b.png')
  empty = _files(tmp_path / 'empty', 'a.txt')
  videos = _files(tmp_path / 'videos', 'a.mp4')
  for paths, message in (
    ([tmp_path / 'missing'], 'no such file or folder'),
    ([mixed], 'mixes videos and images'),
    ([empty], 'neither videos nor images'),
    ([videos, videos / 'a.mp4'], 'given twice'),
  ):
    with pytest.raises(UserError, match=message):
      people.list_sources(paths)


@pytest.fixture
def load(monkeypatch):
  """Loads clips that tell of their name; files called bad have no face."""

  def fake(path, image_size, *, detector=None, one_shot=False):
    if path.stem == 'bad':
      raise UserError(f'{path}: no face')
    frames = np.full((2, image_size, image_size, 3), ord(path.stem[0]))
    return FakeClip(frames.astype(np.uint8), make_person(num_frames=2).points)

  monkeypatch.setattr(people, 'load_face_clip', fake)


def test_unusable_clips_of_a_folder_are_left_out_and_told(tmp_path, load):
  folder = _files(tmp_path, 'a.mp4', 'bad.mp4', 'c.mp4', 'd.mp4')
  dropped = []
  found = list(
    people.from_sources(
      people.list_sources([folder]), 16, max_people=2, dropped=dropped
    )
  )
  assert [person.name for person in found] == ['a', 'c']  # two that work
  assert [person.frames[0, 0, 0, 0] for person in found] == [97, 99]
  assert dropped == [
    {'source': 'bad.mp4', 'reason': f'{folder / "bad.mp4"}: no face'}
  ]


def test_an_unusable_clip_that_was_named_is_refused(tmp_path, load):
  path = _files(tmp_path, 'bad.mp4') / 'bad.mp4'
  sources = people.list_sources([path])
  with pytest.raises(UserError, match='no face'):
    list(people.from_sources(sources, 16, 5, dropped=[]))


def test_files_of_one_name_are_told_apart(tmp_path, load):
  one, two = (_files(tmp_path / x, 'a.mp4') for x in ('one', 'two'))
  found = people.from_sources(people.list_sources([one, two]), 16, 5)
  names = [person.name for person in found]
  assert names == [str(one / 'a.mp4'), str(two / 'a.mp4')]
