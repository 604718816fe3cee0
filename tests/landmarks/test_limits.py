"""Heads turned too far are turned back; the truth is the renderer's."""

import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads.landmarks.limits import (
  LIMITS,
  MOUTH,
  in_plane,
  limit_angles,
  limit_mouth,
  limit_pose,
)
from flaxheads.landmarks.pose import head_pose
from flaxheads.landmarks.retarget import retarget
from flaxheads.metrics.landmark_error import landmark_error
from tests.landmarks.test_retarget import SIZE, cropped, motion, person


def _turns(axis, degrees):
  """[F, 3, 3] about x (0), y (1) or z (2)."""
  c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
  a, b = [(1, 2), (2, 0), (0, 1)][axis]
  matrix = np.tile(np.eye(3), (len(degrees), 1, 1))
  matrix[:, a, a] = matrix[:, b, b] = c
  matrix[:, a, b], matrix[:, b, a] = -s, s
  return matrix


def test_angles_within_the_limits_stay_and_others_come_close():
  given = np.linspace(-LIMITS, LIMITS, 9)
  np.testing.assert_array_equal(limit_angles(given), given)
  wide = np.linspace(0, 120, 500)[:, None] * np.ones(3)
  steps = np.diff(limit_angles(wide), axis=0)
  assert (steps >= 0).all()
  assert (steps < 0.2405).all()  # no jump: a given step is 0.2405 degrees
  assert (limit_angles(wide)[-1] < LIMITS + 8.001).all()
  np.testing.assert_array_equal(limit_angles(-wide), -limit_angles(wide))


def test_poses_within_the_limits_stay_to_the_bit():
  angles = np.linspace(-23, 23, 5)
  given = _turns(1, 1.9 * angles) @ _turns(0, angles) @ _turns(2, -angles)
  np.testing.assert_array_equal(limit_pose(given), given)


@pytest.mark.parametrize('axis, limit', [(1, 45), (0, 24), (2, 24)])
def test_a_pose_beyond_them_is_turned_about_the_same_axis(axis, limit):
  given = _turns(axis, np.array([-70.0, 70.0]))
  wanted = limit + 8 * np.tanh((70 - limit) / 8)
  expected = _turns(axis, np.array([-wanted, wanted]))
  np.testing.assert_allclose(limit_pose(given), expected, atol=1e-9)


def test_the_turn_in_the_image():
  given = _turns(2, np.array([10.0, -5.0]))
  other = _turns(2, np.array([40.0, 30.0]))
  expected = _turns(2, np.array([30.0, 35.0]))[:, :2, :2]
  np.testing.assert_allclose(in_plane(given, other), expected, atol=1e-9)


def test_a_head_that_tilts_too_far_keeps_its_face():
  support = cropped(person(0), motion(10))
  still = motion(20)
  count = len(still.roll)
  tilt = np.linspace(-60, 60, count)  # degrees
  _, _, limited = limit_angles(np.stack([0 * tilt, 0 * tilt, tilt], 1)).T
  none = jnp.zeros(count)
  still = still._replace(yaw=none, pitch=none)

  def tilted(identity, degrees):
    roll = jnp.asarray(np.radians(degrees), jnp.float32)
    return cropped(identity, still._replace(roll=roll))

  moved = retarget(support, tilted(person(1), tilt), SIZE)
  assert np.abs(head_pose(moved).roll).max() < 34
  truth = tilted(person(0), limited)
  moved = moved - moved.mean(1, keepdims=True)
  truth = truth - truth.mean(1, keepdims=True)
  assert landmark_error(moved, truth).mean() < 0.02


def test_a_mouth_open_too_wide_closes_a_little():
  rest = cropped(person(0), motion(10))[:1].astype(float)
  eyes = np.full(9, 100.0)
  up = np.tile([0.0, -1.0], (9, 1))
  points = rest.repeat(9, 0)
  middle = points[:, 62].copy()
  gaps = np.linspace(0, 0.8, 9)
  points[:, 66] = middle + np.stack([0 * gaps, gaps * 100], 1)
  moved = limit_mouth(points, up, eyes)
  found = (moved[:, 66] - moved[:, 62])[:, 1] / 100
  within = gaps <= MOUTH
  np.testing.assert_allclose(moved[within], points[within], atol=1e-9)
  assert (np.diff(found) > 0).all()
  assert (found < MOUTH + 0.0500001).all()
  # Nothing above the mouth moves, and the chin goes with the lip.
  upper = [*range(17, 48), 49, 50, 51, 52, 53, 61, 62, 63, 0, 1, 2, 14, 15, 16]
  np.testing.assert_array_equal(moved[:, upper], points[:, upper])
  np.testing.assert_allclose(
    (moved - points)[:, 8], (moved - points)[:, 66], atol=1e-9
  )
  larger = limit_mouth(10 * points, up, 10 * eyes)
  np.testing.assert_allclose(larger, 10 * moved)
