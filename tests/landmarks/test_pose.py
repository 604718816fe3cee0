"""Pose: signs and sizes, against rotations that are known."""

import jax
import numpy as np
import pytest

from flaxheads.data import synthetic_heads
from flaxheads.landmarks import layout, pose


def _rotated(yaw, pitch, roll):
  """The average head, turned by degrees and seen from far: [68, 2]."""
  yaw, pitch, roll = np.radians([yaw, pitch, roll])
  about_y = [
    [np.cos(yaw), 0, np.sin(yaw)],
    [0, 1, 0],
    [-np.sin(yaw), 0, np.cos(yaw)],
  ]
  about_x = [
    [1, 0, 0],
    [0, np.cos(pitch), -np.sin(pitch)],
    [0, np.sin(pitch), np.cos(pitch)],
  ]
  about_z = [
    [np.cos(roll), np.sin(roll), 0],
    [-np.sin(roll), np.cos(roll), 0],
    [0, 0, 1],
  ]
  turn = np.array(about_y) @ np.array(about_x) @ np.array(about_z)
  points = np.zeros((layout.NUM_POINTS, 2))
  points[list(pose._POINTS)] = (pose._AVERAGE @ turn.T)[:, :2]
  return points * (9.0, -9.0) + (120.0, 80.0)


@pytest.mark.parametrize(
  'angles', [(0, 0, 0), (40, 0, 0), (0, -25, 0), (0, 0, 30), (-35, 20, -15)]
)
def test_a_known_rotation_is_found_exactly(angles):
  found = pose.head_pose(_rotated(*angles))
  np.testing.assert_allclose(found, angles, atol=1e-6)


def test_signs_are_those_a_viewer_sees():
  points = _rotated(20, 10, 5)
  nose, eyes = points[30], points[[36, 45]]
  straight = _rotated(0, 0, 0)
  assert nose[0] > straight[30, 0]  # to the right
  assert nose[1] > straight[30, 1]  # down
  assert eyes[1, 1] > eyes[0, 1]  # clockwise: the right eye lower


def test_a_flip_turns_yaw_and_roll_round():
  points = _rotated(25, 8, -12)
  flipped = points[layout.MIRROR] * (-1, 1) + (256, 0)
  found = pose.head_pose(np.stack([points, flipped]))
  np.testing.assert_allclose(found.yaw, [25, -25], atol=1e-6)
  np.testing.assert_allclose(found.pitch, [8, 8], atol=1e-6)
  np.testing.assert_allclose(found.roll, [-12, 12], atol=1e-6)


def test_poses_of_synthetic_heads_are_found():
  errors = []
  for seed in range(8):
    key = jax.random.key(500 + seed)
    motion = synthetic_heads.sample_motion(key, 8, 1.0)
    identity = synthetic_heads.sample_identity(key)
    points = synthetic_heads.head_points(identity, motion, 256)
    known = np.degrees([motion.yaw, motion.pitch, motion.roll])
    errors.append(np.array(pose.head_pose(points)) - known)
  mean = np.abs(errors).mean((0, 2))
  assert (mean < (3.5, 3.0, 1.0)).all(), mean


@pytest.mark.parametrize('value', [np.nan, np.inf, 7.0])
def test_what_is_no_face_has_no_pose(value):
  points = np.stack([_rotated(0, 0, 0), np.full((68, 2), value)])
  found = np.array(pose.head_pose(points))
  assert np.isfinite(found[:, 0]).all()
  assert np.isnan(found[:, 1]).all()
