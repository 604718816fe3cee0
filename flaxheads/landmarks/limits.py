"""How far a head is turned at most, so that it can be drawn."""

import numpy as np
from scipy.spatial.transform import Rotation

# Degrees of yaw, pitch and roll up to which a motion is left as it is: what
# flaxheads.data.synthetic_heads shows. Real clips rarely go further, either,
# and the points of a detector mean little there.
LIMITS = np.array([45.0, 24.0, 24.0])
_BEYOND = 8.0  # degrees that the rest of a turn is squeezed into


def limit_angles(angles: np.ndarray) -> np.ndarray:
  """Squeezes what lies beyond the limits, without a kink.

  Args:
    angles: [..., 3], yaw, pitch and roll in degrees.

  Returns:
    [..., 3], the same up to LIMITS, and never 8 degrees more than these.
  """
  size = np.abs(angles)
  rest = np.maximum(size - LIMITS, 0)
  return np.sign(angles) * (
    np.minimum(size, LIMITS) + _BEYOND * np.tanh(rest / _BEYOND)
  )


def limit_pose(rotation: np.ndarray) -> np.ndarray:
  """Turns heads back that are turned further than can be drawn.

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
  """The turn in the picture, y up, by which two poses differ.

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
