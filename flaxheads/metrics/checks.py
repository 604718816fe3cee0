"""Checks the shapes of images and faces that metrics are given."""

import numpy as np

from flaxheads.errors import UserError
from flaxheads.landmarks import layout


def check_frames(frames) -> np.ndarray:
  """Images as metrics take them.

  Args:
    frames: what should be uint8 [F, H, W, 3].

  Returns:
    The same as an array.

  Raises:
    UserError: another shape or type.
  """
  frames = np.asarray(frames)
  if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
    raise UserError(
      f'frames: {frames.dtype} {frames.shape} given; uint8 [F, H, W, 3] is'
      ' needed'
    )
  return frames


def check_faces(frames, points) -> tuple[np.ndarray, np.ndarray]:
  """Images with the landmarks of one face in each.

  Args:
    frames: what should be uint8 [F, H, W, 3].
    points: what should be [F, 68, 2] in pixels.

  Returns:
    Both as arrays, the points in float64.

  Raises:
    UserError: another shape or type.
  """
  frames, points = check_frames(frames), np.asarray(points, np.float64)
  if points.shape != (len(frames), layout.NUM_POINTS, 2):
    raise UserError(
      f'points: shape {points.shape} given;'
      f' {(len(frames), layout.NUM_POINTS, 2)} is needed'
    )
  return frames, points
