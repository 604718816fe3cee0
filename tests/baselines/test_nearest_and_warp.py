"""The baselines do what their names say."""

import numpy as np
import pytest

from flaxheads.baselines.nearest import nearest, nearest_indices
from flaxheads.baselines.warp import warp
from flaxheads.evaluation.protocol import Drivers
from tests.faces import face_points

SIZE = 64


def _smooth_frame(size=SIZE, seed=0):
  rng = np.random.default_rng(seed)
  x, y = np.meshgrid(np.arange(size), np.arange(size))
  waves = [
    127 + 100 * np.sin(x * a + y * b) for a, b in rng.uniform(0, 0.3, (3, 2))
  ]
  return np.stack(waves, -1).astype(np.uint8)


def _warp_frame(frame, source, target):
  return warp(frame[None], source[None], Drivers(target[None]))[0]


def _dot(position):
  """A green dot on black, at (x, y)."""
  x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
  squares = (x - position[0]) ** 2 + (y - position[1]) ** 2
  frame = np.zeros((SIZE, SIZE, 3), np.uint8)
  frame[..., 1] = np.rint(255 * np.exp(-squares / (2 * 1.5**2)))
  return frame


def _brightest(frame):
  row, column = np.unravel_index(frame[..., 1].argmax(), frame.shape[:2])
  return np.array([column + 0.5, row + 0.5])


def test_nearest_picks_the_true_nearest():
  rng = np.random.default_rng(0)
  support = rng.uniform(0, SIZE, (7, 68, 2))
  drivers = rng.uniform(0, SIZE, (5, 68, 2))
  expected = [
    min(range(7), key=lambda t: np.linalg.norm(support[t] - driver))
    for driver in drivers
  ]
  np.testing.assert_array_equal(nearest_indices(support, drivers), expected)


def test_nearest_returns_support_frames_unchanged():
  frames = np.stack([_smooth_frame(seed=seed) for seed in range(3)])
  points = np.stack([face_points(SIZE, (5 * i, 0)) for i in range(3)])
  order = [2, 0, 1, 2]
  answer = nearest(frames, points, Drivers(points[order] + 0.3))
  np.testing.assert_array_equal(answer, frames[order])


def test_nearest_does_not_align():
  # The same expression elsewhere is farther than another expression here.
  support = np.stack([face_points(SIZE, (15, 0)), face_points(SIZE, mouth=0.1)])
  np.testing.assert_array_equal(
    nearest_indices(support, face_points(SIZE)[None]), [1]
  )


def test_warp_is_the_identity_for_equal_points():
  rng = np.random.default_rng(0)
  frames = rng.integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
  points = np.stack([face_points(SIZE), face_points(SIZE, (4, -3))])
  np.testing.assert_array_equal(
    warp(frames, points, Drivers(points[[1, 0, 1]])), frames[[1, 0, 1]]
  )


def test_warp_is_the_identity_for_points_outside_the_image():
  frame = _smooth_frame()
  points = face_points(SIZE, (40, 10))
  np.testing.assert_array_equal(_warp_frame(frame, points, points), frame)


@pytest.mark.parametrize('index', [8, 30, 36, 45, 57])
@pytest.mark.parametrize(
  'target',
  [face_points(SIZE, (5, -4)), face_points(SIZE, mouth=0.1)],
  ids=['moved', 'mouth'],
)
def test_warp_moves_a_dot_to_its_landmark(index, target):
  source = face_points(SIZE)
  warped = _warp_frame(_dot(source[index]), source, target)
  assert np.linalg.norm(_brightest(warped) - target[index]) <= 1.0


@pytest.mark.parametrize('degrees', [-15, 15])
def test_warp_takes_the_hair_along(degrees):
  angle = np.deg2rad(degrees)
  turn = np.array([
    [np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]
  ])  # fmt: skip
  pivot = np.array([32, 36])

  def move(points):
    return (points - pivot) @ turn.T + pivot

  source = face_points(SIZE)
  hair = np.array([32.5, 20.5])
  assert hair[1] < source[:, 1].min() - 4  # above the brows
  warped = _warp_frame(_dot(hair), source, move(source))
  assert np.linalg.norm(_brightest(warped) - move(hair)) <= 1.0


def test_the_background_moves_less_the_farther_it_is():
  steps = 3 * np.arange(SIZE)  # three levels a pixel: position as colour
  x, y = np.meshgrid(steps, steps)
  frame = np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint8)
  warped = _warp_frame(frame, face_points(SIZE), face_points(SIZE, (5, 3)))
  moved = (frame.astype(float) - warped)[..., :2] / 3  # pixels
  middle = moved[SIZE // 2, SIZE // 2]
  np.testing.assert_allclose(middle, (5, 3), atol=0.5)
  for corner in (moved[1, 1], moved[1, -2], moved[-2, 1], moved[-2, -2]):
    assert np.abs(corner).max() < 0.4 * 5


def test_warp_brings_a_moved_face_nearer_than_nearest_does():
  size = SIZE
  source, target = face_points(size), face_points(size, (4, 3))

  def draw(points):
    centre = points.mean(0)
    x, y = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    ripple = np.sin(0.9 * (x - centre[0])) * np.sin(0.7 * (y - centre[1]))
    near = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 150)
    grey = 127 + 120 * ripple * near
    return np.repeat(grey[..., None], 3, -1).astype(np.uint8)

  truth = draw(target).astype(float)
  given = draw(source)[None], source[None], Drivers(target[None])
  warped, copied = warp(*given)[0], nearest(*given)[0]
  assert (
    np.square(warped - truth).mean() < 0.1 * np.square(copied - truth).mean()
  )


def test_warp_survives_a_face_that_shrinks_to_a_point():
  frame = _smooth_frame()
  target = np.full((68, 2), SIZE / 2, np.float32)
  warped = _warp_frame(frame, face_points(SIZE), target)
  assert warped.shape == frame.shape and warped.dtype == np.uint8
