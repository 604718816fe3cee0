"""Limits of pose and mouth opening within which a generator works."""

import numpy as np
from scipy.spatial.transform import Rotation

from flaxheads.landmarks import layout

# Degrees of yaw, pitch and roll up to which a motion is left as it is: what
# flaxheads.data.synthetic_heads shows. Real clips rarely go further, either,
# and the points of a detector mean little there.
LIMITS = np.array([45.0, 24.0, 24.0])
_BEYOND = 8.0  # degrees that the rest of a turn is squeezed into
# The same of the gap between the lips, in distances of the outer eye corners.
# Synthetic heads open theirs to about a quarter. Generated from a gap of 0.32
# it is a mouth, from 0.57 a smear.
MOUTH, _MOUTH_BEYOND = 0.3, 0.05
# How far points go with the lower lip: itself, the mouth's corners, the jaw.
WITH_JAW = np.zeros(layout.NUM_POINTS)
WITH_JAW[[56, 57, 58, 65, 66, 67]] = 1.0
WITH_JAW[[55, 59]] = 0.7
WITH_JAW[[48, 54, 60, 64]] = 0.3
WITH_JAW[3:14] = [0.2, 0.4, 0.6, 0.8, 0.95, 1.0, 0.95, 0.8, 0.6, 0.4, 0.2]


def squeeze(size, limit, beyond):
  """Limits sizes softly: unchanged up to `limit`, at most `beyond` above it."""
  rest = np.maximum(size - limit, 0)
  return np.minimum(size, limit) + beyond * np.tanh(rest / beyond)


def limit_angles(angles: np.ndarray) -> np.ndarray:
  """Squeezes what lies beyond the limits, without a kink.

  Args:
    angles: [..., 3], yaw, pitch and roll in degrees.

  Returns:
    [..., 3], the same up to LIMITS, and never 8 degrees more than these.
  """
  size = np.abs(angles)
  return np.sign(angles) * squeeze(size, LIMITS, _BEYOND)


def limit_pose(rotation: np.ndarray) -> np.ndarray:
  """Turns heads back that are turned further than a generator can follow.

  Args:
    rotation: [F, 3, 3], head to camera: x to the right, y up, z ahead.

  Returns:
    [F, 3, 3]; those within the limits to the bit.
  """
  # As the synthetic heads are turned: roll first, then pitch, then yaw.
  angles = Rotation.from_matrix(rotation).as_euler('YXZ', degrees=True)
  limited = limit_angles(angles)
  changed = (limited != angles).any(1)
  result = np.array(rotation, np.float64)
  if changed.any():
    turned = Rotation.from_euler('YXZ', limited[changed], degrees=True)
    result[changed] = turned.as_matrix()
  return result


def in_plane(rotation: np.ndarray, other: np.ndarray) -> np.ndarray:
  """The turn in the image, y up, by which two poses differ.

  Args:
    rotation: [F, 3, 3].
    other: [F, 3, 3].

  Returns:
    [F, 2, 2], from the upwards direction of the first to that of the other.
  """
  before, after = (r[:, 0, 1] + 1j * r[:, 1, 1] for r in (rotation, other))
  turn = after * np.conj(before)
  turn = turn / np.maximum(np.abs(turn), 1e-9)
  rows = [turn.real, -turn.imag, turn.imag, turn.real]
  return np.stack(rows, -1).reshape(-1, 2, 2)


def limit_mouth(
  points: np.ndarray, upwards: np.ndarray, eye_distance: np.ndarray
) -> np.ndarray:
  """Closes mouths that are open wider than a generator can follow.

  Args:
    points: [F, 68, 2] in pixels.
    upwards: [F, 2], the head's own direction upwards in the image, as long
      as it is foreshortened.
    eye_distance: [F], between the outer corners of eyes that look ahead,
      pixels.

  Returns:
    [F, 68, 2]: lower lip and jaw are moved up, where the lips are further apart
    than MOUTH eye distances.
  """
  gap = points[:, 62] - points[:, 66]
  gap = (gap * upwards).sum(-1) / np.square(upwards).sum(-1) / eye_distance
  excess = (gap - squeeze(gap, MOUTH, _MOUTH_BEYOND)) * eye_distance  # [F]
  lift = excess[:, None] * upwards  # [F, 2]
  return points + WITH_JAW[:, None] * lift[:, None]
