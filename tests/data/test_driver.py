"""Drivers are as long as their sources, at the rate of these."""

import numpy as np
import pytest
from PIL import Image

from flaxheads.data import driver as drivers
from flaxheads.data.driver import load_driver
from flaxheads.data.video_writer import VideoWriter
from flaxheads.landmarks.landmark_files import save_landmarks
from tests.data.coloured_faces import ColourDetector, picture
from tests.faces import face_points


def _landmarks(path, present, times=None):
  """A face that speaks; NaN where `present` is False."""
  count = len(present)
  mouth = np.maximum(0, np.sin(np.arange(count) / 3)) * 0.1
  points = np.stack([face_points(200, mouth=m) for m in mouth])
  points[~np.asarray(present)] = np.nan
  save_landmarks(path, points, times)
  return points


@pytest.mark.parametrize('timed', [False, True])
def test_a_face_that_is_absent_at_the_ends_is_at_rest(tmp_path, timed):
  present = np.zeros(100, bool)
  present[25:40] = present[45:75] = True
  times = np.arange(100) / 50 if timed else None
  points = _landmarks(tmp_path / 'a.npz', present, times)
  driver = load_driver(tmp_path / 'a.npz', 64)
  assert len(driver.points) == 100 and driver.start == 0
  assert driver.fps == (50 if timed else 25)

  def opening(face):  # of the inner lips, in widths of the mouth
    width = face[..., 54, 0] - face[..., 48, 0]
    return (face[..., 66, 1] - face[..., 62, 1]) / width

  found = opening(driver.points)
  np.testing.assert_allclose(found[25:40], opening(points[25:40]), atol=1e-3)
  seen = opening(points[present])
  ease = round(drivers._EASE_SECONDS * driver.fps) + 1
  for rest in (found[: 25 - ease], found[75 + ease :]):
    assert np.ptp(rest) < 1e-3
    assert rest[0] < (seen.min() + seen.max()) / 2
  # No jump where the face comes and goes.
  assert np.abs(np.diff(found)).max() <= 1.1 * np.abs(np.diff(seen)).max()


def test_an_animation_drives_at_its_own_rate_and_without_sound(tmp_path):
  shown = [picture({'red': (50 + 4 * i, 40, 30)}) for i in range(12)]
  first, *rest = map(Image.fromarray, shown)
  path = tmp_path / 'a.webp'
  first.save(path, save_all=True, append_images=rest, duration=83)
  driver = load_driver(path, 64, detector=ColourDetector())
  assert (driver.fps, len(driver.points), driver.sound) == (12, 12, None)


def test_a_video_is_as_long_with_black_ends(tmp_path):
  with VideoWriter(tmp_path / 'a.mp4', 50, crf=4) as writer:
    for index in range(40):
      face = {'red': (60, 40, 30)} if 10 <= index < 30 else {}
      writer.write(picture(face))
  driver = load_driver(tmp_path / 'a.mp4', 64, detector=ColourDetector())
  assert (driver.fps, len(driver.points), driver.start) == (50, 40, 0)
  assert len(driver.frames) == 40
  assert driver.remarks == [
    f'no face in frames 0-9 and 30-39 of {tmp_path / "a.mp4"}'
  ]
