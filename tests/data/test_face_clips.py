"""Clips: choosing, following, cropping one face from any source."""

import numpy as np
import pytest
from PIL import Image

from flaxheads.data import clip as clips
from flaxheads.data import face_clips
from flaxheads.data.face_clips import load_face_clip
from flaxheads.data.image import write_png
from flaxheads.data.video import read_video
from flaxheads.data.video_writer import VideoWriter
from flaxheads.errors import UserError
from flaxheads.landmarks.crop import crop_box, points_from_crop
from flaxheads.landmarks.detect import make_detector
from flaxheads.landmarks.landmark_files import save_landmarks
from tests.data.coloured_faces import (
  SHAPE,
  ColourDetector,
  picture,
)


def _video(path, scenes, fps=25):
  with VideoWriter(path, fps, crf=4) as writer:
    for places in scenes:
      writer.write(picture(places))
  return path


def _load(path, size=64, **options):
  return load_face_clip(path, size, detector=ColourDetector(), **options)


def test_points_alone_are_read_once_and_are_the_same(tmp_path, monkeypatch):
  scenes = [{'red': (40 + i, 30, 30)} for i in range(6)]
  path = _video(tmp_path / 'a.mp4', scenes)
  whole = _load(path)
  opened, begin = [], face_clips.videos.VideoReader.__iter__
  monkeypatch.setattr(
    face_clips.videos.VideoReader,
    '__iter__',
    lambda reader: opened.append(1) or begin(reader),
  )
  monkeypatch.setattr(face_clips, 'MAX_BYTES', 1)  # which no frame would fit
  points = _load(path, frames=False)
  assert points.frames is None and len(opened) == 1
  np.testing.assert_array_equal(points.points, whole.points)
  np.testing.assert_array_equal(points.times, whole.times)
  assert points.boxes == whole.boxes


def test_image(tmp_path):
  write_png(tmp_path / 'a.png', picture({'red': (60, 40, 30)}))
  clip = _load(tmp_path / 'a.png')
  assert clip.frames.shape == (1, 64, 64, 3) and clip.frames.dtype == np.uint8
  assert clip.points.shape == (1, 68, 2) and clip.points.dtype == np.float32
  assert clip.box == pytest.approx((45, 19, 60))  # 2 * 30, raised by 6
  assert (clip.kept.tolist(), clip.missing) == ([0], [])
  # The red square fills the half of the crop that the points claim.
  low, high = clip.points[0].min(0), clip.points[0].max(0)
  np.testing.assert_allclose([low, high], [[16, 22.4], [48, 54.4]], atol=1e-3)
  red = clip.frames[0, ..., 1] < 80
  assert red[24:53, 18:46].all() and not red[:20].any()
  assert clip.source == str(tmp_path / 'a.png')


def test_video_has_one_box_and_follows(tmp_path):
  path = _video(
    tmp_path / 'a.mp4', [{'red': (50 + 2 * i, 40, 32)} for i in range(12)]
  )
  clip = _load(path)
  assert clip.frames.shape == (12, 64, 64, 3)
  assert len(set(clip.boxes)) == 1
  np.testing.assert_allclose(clip.times, np.arange(12) / 25, atol=1e-3)
  points = points_from_crop(clip.points, clip.box, 64)
  expected = 50 + 2 * np.arange(12)
  np.testing.assert_allclose(points[..., 0].min(1), expected, atol=1)
  for frame, face in zip(clip.frames, clip.points, strict=True):
    x, y = face.mean(0).astype(int)
    assert frame[y, x, 0] > 180 and frame[y, x, 1] < 80


def test_missing_frames_are_listed_and_logged(tmp_path, caplog):
  scenes = [{'red': (60, 40, 30)}] * 14
  for index in (3, 4, 5, 9):
    scenes[index] = {}
  path = _video(tmp_path / 'clip.mp4', scenes)
  with caplog.at_level('WARNING', logger='absl'):
    clip = _load(path)
  assert clip.missing == [3, 4, 5, 9]
  assert clip.kept.tolist() == [0, 1, 2, 6, 7, 8, 10, 11, 12, 13]
  np.testing.assert_allclose(clip.times, clip.kept / 25, atol=1e-3)
  word = f'no face in frames 3-5 and 9 of {path}'
  assert clips.describe_missing(clip) == word
  assert word in caplog.text


@pytest.mark.parametrize(
  ('missing', 'text'),
  [
    ([], ''),
    ([4], 'no face in frame 4 of x'),
    ([4, 5, 6], 'no face in frames 4-6 of x'),
    ([1, 3, 4, 9], 'no face in frames 1, 3-4 and 9 of x'),
  ],
)
def test_words_for_missing_frames(missing, text):
  none = np.zeros(0)
  clip = clips.FaceClip(none, none, none, none, None, (), none, missing, 'x')
  assert clips.describe_missing(clip) == text


def test_no_face_at_all(tmp_path):
  write_png(tmp_path / 'a.png', picture({}))
  with pytest.raises(UserError, match='a.png: no face found in the image'):
    _load(tmp_path / 'a.png')
  with pytest.raises(UserError, match='no face found in any of 3 frames'):
    _load(_video(tmp_path / 'a.mp4', [{}] * 3))


def test_two_faces_in_an_image_need_a_choice(tmp_path):
  write_png(
    tmp_path / 'a.png', picture({'green': (20, 40, 40), 'red': (120, 40, 30)})
  )
  with pytest.raises(UserError, match='2 faces.*--face=0 to --face=1.*left'):
    _load(tmp_path / 'a.png')
  left = _load(tmp_path / 'a.png', face=0)
  right = _load(tmp_path / 'a.png', face=1)
  assert left.box.x0 < right.box.x0
  assert left.frames[0, 38, 32].tolist() == [30, 220, 30]
  assert right.frames[0, 38, 32].tolist() == [220, 30, 30]
  with pytest.raises(UserError, match='--face=2.*shows 2 faces'):
    _load(tmp_path / 'a.png', face=2)
  with pytest.raises(UserError, match='face: -1'):
    _load(tmp_path / 'a.png', face=-1)


def test_bystanders_do_not_count(tmp_path):
  write_png(
    tmp_path / 'a.png', picture({'green': (10, 40, 15), 'red': (90, 30, 60)})
  )
  clip = _load(tmp_path / 'a.png')
  assert clip.frames[0, 38, 32].tolist() == [220, 30, 30]
  with pytest.raises(UserError, match='--face=1.*shows one face'):
    _load(tmp_path / 'a.png', face=1)


def _crossing():
  """Two people change places in front of the camera, the red one nearer."""
  return [
    {'green': (150 - 4 * i, 20, 28), 'red': (10 + 4 * i, 55, 40)}
    for i in range(30)
  ]


@pytest.mark.parametrize(('face', 'start'), [(None, 10), (0, 10), (1, 150)])
def test_the_same_face_is_followed_past_another(tmp_path, face, start):
  path = _video(tmp_path / 'a.mp4', _crossing())
  clip = _load(path, face=face)
  assert clip.missing == []
  points = points_from_crop(clip.points, clip.box, 64)
  step = 4 if start == 10 else -4
  expected = start + step * np.arange(30)
  np.testing.assert_allclose(points[..., 0].min(1), expected, atol=1.5)


def test_folder(tmp_path):
  write_png(tmp_path / 'b.png', picture({'red': (60, 40, 30)}))
  write_png(tmp_path / 'a.png', picture({'red': (100, 40, 50)}))
  write_png(tmp_path / 'c.png', picture({}))
  (tmp_path / 'notes.txt').write_text('not a picture')
  clip = _load(tmp_path)
  assert clip.kept.tolist() == [0, 1] and clip.missing == [2]
  assert clip.boxes[0] == pytest.approx((75, 5, 100))
  assert clip.boxes[1] == pytest.approx((45, 19, 60))
  np.testing.assert_allclose(clip.points[0], clip.points[1], atol=1e-4)
  assert len(_load(tmp_path, max_frames=1).frames) == 1
  (tmp_path / 'none').mkdir()
  with pytest.raises(UserError, match='has no image'):
    _load(tmp_path / 'none')


def test_precomputed_landmarks(tmp_path):
  path = _video(tmp_path / 'a.mp4', [{'red': (60, 40, 30)}] * 4)
  points = np.array([60, 40]) + 30 * np.repeat(SHAPE[None], 4, 0)
  points += np.random.default_rng(0).normal(0, 1, points.shape)
  points[2] = np.nan
  save_landmarks(tmp_path / 'a.npz', points, [0.0, 0.1, 0.2, 0.3])
  clip = load_face_clip(path, 64, landmarks=tmp_path / 'a.npz')
  assert clip.kept.tolist() == [0, 1, 3] and clip.missing == [2]
  np.testing.assert_allclose(clip.times, [0, 0.1, 0.3])
  assert clip.box == pytest.approx(crop_box(points[[0, 1, 3]]), rel=1e-5)
  back = points_from_crop(clip.points, clip.box, 64)  # untouched
  np.testing.assert_allclose(back, points[[0, 1, 3]], atol=1e-3)
  assert (
    len(
      load_face_clip(
        path, 64, landmarks=tmp_path / 'a.npz', max_frames=2
      ).frames
    )
    == 2
  )


def test_landmarks_of_something_else(tmp_path):
  path = _video(tmp_path / 'a.mp4', [{'red': (60, 40, 30)}] * 4)
  points = np.array([60, 40]) + 30 * np.repeat(SHAPE[None], 5, 0)
  for name, part, message in [
    ('few', points[:3], '4 frames, but landmarks for 3'),
    ('many', points, '4 frames, but landmarks for 5'),
    ('away', points[:4] + 5000, 'lie outside of the image'),
    ('huge', points[:4] * 90, 'lie outside of the image'),
  ]:
    save_landmarks(tmp_path / f'{name}.npz', part)
    with pytest.raises(UserError, match=message):
      load_face_clip(path, 64, landmarks=tmp_path / f'{name}.npz')
  with pytest.raises(UserError, match='omit fps'):
    load_face_clip(path, 64, landmarks=tmp_path / 'few.npz', fps=10)


def test_limits(tmp_path, monkeypatch):
  path = _video(tmp_path / 'a.mp4', [{'red': (60, 40, 30)}] * 4)
  with pytest.raises(UserError, match='image_size'):
    _load(path, size=2)
  with pytest.raises(UserError, match='max_frames: 0'):
    _load(path, max_frames=0)
  monkeypatch.setattr(face_clips, 'MAX_BYTES', 30_000)
  with pytest.raises(UserError, match='4 frames of 64x64 take more than'):
    _load(path)
  (tmp_path / 'text.mp4').write_text('nothing')
  with pytest.raises(UserError, match='is not a video'):
    _load(tmp_path / 'text.mp4')
  with pytest.raises(UserError, match='no such file'):
    _load(tmp_path / 'none.jpg')


def test_resampled_video(tmp_path):
  path = _video(tmp_path / 'a.mp4', [{'red': (60, 40, 30)}] * 25)
  clip = _load(path, fps=10)
  np.testing.assert_allclose(clip.times, np.arange(10) / 10)


def test_real_face_end_to_end(tmp_path):
  portrait = pytest.importorskip('skimage.data').astronaut()
  with VideoWriter(tmp_path / 'a.mp4', 25) as writer:
    for shift in range(0, 40, 4):
      writer.write(np.roll(portrait, shift, axis=1))
    for _ in range(3):
      writer.write(np.full_like(portrait, 90))
  clip = load_face_clip(tmp_path / 'a.mp4', 128)
  assert clip.kept.tolist() == list(range(10)) and clip.missing == [10, 11, 12]
  moved = points_from_crop(clip.points, clip.box, 128).mean(1)
  np.testing.assert_allclose(np.diff(moved[:, 0]), 4, atol=0.8)
  np.testing.assert_allclose(np.diff(moved[:, 1]), 0, atol=0.8)


@pytest.fixture(scope='module', name='real_detector')
def _real_detector():
  return make_detector()


def test_real_clips_load(real_clips, real_detector):
  paths = sorted((real_clips / 'clips').glob('*.mp4'))
  paths = [path for path in paths if not path.name.startswith('edge_')]
  assert paths
  for path in paths:
    clip = load_face_clip(path, 64, detector=real_detector, max_frames=12)
    assert len(clip.frames) == 12 and clip.missing == [], path.name
    # No frame's points leap away from the others'.
    middle = clip.points.mean(1)
    assert np.linalg.norm(np.diff(middle, axis=0), axis=1).max() < 8, path.name


def test_real_edges(real_clips, real_detector):
  def load(name, **options):
    return load_face_clip(
      real_clips / name, 64, detector=real_detector, **options
    )

  with pytest.raises(UserError, match='no face found in the image'):
    load('portraits/edge_dog.jpg')
  # Four seconds, and 3.4: whole frames without a face cost a second each.
  with pytest.raises(UserError, match='no face found in any of 8 frames'):
    load('clips/edge_no_face.mp4', fps=2)
  half = load('clips/edge_face_then_noface.mp4', max_frames=13, fps=4)
  assert 9 < len(half.kept) < 13
  assert half.missing == list(range(len(half.kept), 13))


def test_real_pair_is_told_apart(real_clips, real_detector):
  path = real_clips / 'clips' / 'edge_two_faces_intel.mp4'
  width = read_video(path, max_frames=1).frames[0].shape[1]
  for face, is_left in ((0, True), (1, False)):
    clip = load_face_clip(path, 64, detector=real_detector, face=face)
    centres = points_from_crop(clip.points, clip.box, 64).mean(1)[:, 0]
    assert ((centres < width / 2) == is_left).all()
    assert np.abs(np.diff(centres)).max() < 0.1 * width


def test_images_keep_their_colours(tmp_path):
  image = picture({'red': (60, 40, 30)})
  Image.fromarray(image).convert('CMYK').save(tmp_path / 'a.jpg', quality=95)
  clip = _load(tmp_path / 'a.jpg')
  assert np.abs(clip.frames[0, 38, 32].astype(int) - [220, 30, 30]).max() < 12
