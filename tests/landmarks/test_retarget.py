"""A driver's motion on another face: truth comes from synthetic heads."""

import jax
import numpy as np
import pytest

from flaxheads.data import synthetic_heads
from flaxheads.landmarks import face_shape
from flaxheads.landmarks.crop import crop_box, points_to_crop
from flaxheads.landmarks.retarget import place_on, retarget
from flaxheads.metrics.landmark_error import landmark_error
from tests.reproduce.face_shape import head_shapes

SIZE = 256


def person(number):
  key = jax.random.fold_in(jax.random.key(31), number)
  return synthetic_heads.sample_identity(key)


def motion(number, num_frames=40, fps=10.0):
  key = jax.random.fold_in(jax.random.key(32), number)
  return synthetic_heads.sample_motion(key, num_frames, fps)


def cropped(identity, moves):
  points = synthetic_heads.head_points(identity, moves, SIZE)
  return points_to_crop(points, crop_box(points), SIZE)


@pytest.fixture(scope='module')
def clips():
  """(support, driver, truth) points of three pairs of people."""
  return [
    (
      cropped(person(2 * n), motion(10 + n)),
      cropped(person(2 * n + 1), motion(20 + n)),
      cropped(person(2 * n), motion(20 + n)),
    )
    for n in range(3)
  ]


@pytest.mark.parametrize('num_shots', [1, 8])
def test_retargeting_halves_the_error(clips, num_shots):
  raw, ours = [], []
  for support, driver, truth in clips:
    chosen = support[np.linspace(0, len(support) - 1, num_shots).astype(int)]
    raw.append(landmark_error(driver, truth).mean())
    moved = retarget(chosen, driver, SIZE)
    ours.append(landmark_error(moved, truth).mean())
  assert np.mean(raw) > 0.015  # else there is nothing to show
  assert np.mean(ours) < 0.5 * np.mean(raw)


def test_ones_own_motion_stays(clips):
  support, _, truth = clips[0]
  moved = retarget(support, truth, SIZE)
  assert landmark_error(moved, truth).mean() < 0.01
  # To a hair where the source is the driver's own frames.
  same = retarget(truth, truth, SIZE)
  np.testing.assert_allclose(same, truth, atol=0.02)


def test_the_size_and_place_of_inputs_mean_nothing(clips):
  support, driver, _ = clips[0]
  once = retarget(support, driver, SIZE)
  other = retarget(support * 3 - 50, driver * 0.5 + 20, SIZE)
  np.testing.assert_allclose(once, other, atol=0.02)


def test_closed_eyes_close(clips):
  support, driver, _ = clips[1]
  moved = retarget(support, driver, SIZE)

  def opening(points):
    gap = points[:, [41, 40, 47, 46]] - points[:, [37, 38, 43, 44]]
    return gap[..., 1].mean(1)

  assert opening(moved).min() > -1
  closed = opening(driver) < 0.15 * np.median(opening(driver))
  assert closed.any()
  assert opening(moved)[closed].max() < 0.3 * np.median(opening(moved))


def test_lids_and_lips_never_cross(clips):
  support, driver, _ = clips[0]
  upside = driver.copy()
  upside[:, [37, 38, 41, 40]] = driver[:, [41, 40, 37, 38]]
  moved = retarget(support, upside, SIZE)
  gap = moved[:, [41, 40]] - moved[:, [37, 38]]
  down = moved[:, 8] - moved[:, 27]
  assert (gap * down[:, None]).sum(-1).min() > -1


def test_rotation_is_found():
  moves = motion(5)
  points = synthetic_heads.head_points(person(9), moves, SIZE)
  rest = face_shape.fit_shape(points)
  found = face_shape.fit_motion(points, rest).rotation
  yaw = np.degrees(np.arctan2(found[:, 0, 2], found[:, 2, 2]))
  assert np.abs(yaw - np.degrees(moves.yaw)).mean() < 2
  assert np.abs(np.degrees(moves.yaw)).max() > 20
  np.testing.assert_allclose(
    found @ np.swapaxes(found, 1, 2), np.tile(np.eye(3), (40, 1, 1)), atol=1e-9
  )


def test_the_file_holds_what_the_renderer_says():
  rest, moved = head_shapes(seed=3, num_people=24)
  known = face_shape.statistics()
  assert np.abs(rest.mean(0) - known.mean).max() < 0.5

  def share(offsets, basis):
    flat = offsets.reshape(len(offsets), -1)
    columns, _ = np.linalg.qr(basis.reshape(len(basis), -1).T)
    left = flat - flat @ columns @ columns.T
    return 1 - np.square(left).sum() / np.square(flat).sum()

  assert share(rest - known.mean, known.identity) > 0.98
  assert share(moved, known.expression) > 0.98


def test_points_of_no_face_stay_finite():
  rng = np.random.default_rng(0)
  for scale in (1e-3, 1.0, 1e5):
    source = rng.normal(0, scale, (3, 68, 2))
    driver = rng.normal(0, scale, (5, 68, 2))
    assert np.isfinite(retarget(source, driver, 64)).all()


@pytest.mark.parametrize('bad', [np.zeros((2, 5, 2)), np.zeros((0, 68, 2))])
def test_wrong_points_are_refused(clips, bad):
  with pytest.raises(ValueError, match='points'):
    retarget(bad, clips[0][1], SIZE)
  with pytest.raises(ValueError, match='finite'):
    retarget(clips[0][0], np.full((2, 68, 2), np.nan), SIZE)


def test_a_head_is_placed_where_the_portrait_has_it(clips):
  _, driver, _ = clips[0]
  anchor = driver[7] * 0.8 + (11, -3)
  placed = place_on(driver, anchor)
  np.testing.assert_allclose(placed[7], anchor, atol=1e-3)
  np.testing.assert_allclose(placed, driver * 0.8 + (11, -3), atol=1e-3)
