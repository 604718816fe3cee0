"""The baseline that returns the support frame with the nearest landmarks.

A useful method has to be better than it.
"""

import numpy as np


def nearest_indices(support_points, driver_points) -> np.ndarray:
  """For every driver the support frame at the least distance.

  Args:
    support_points: float [T, 68, 2] in pixels.
    driver_points: float [F, 68, 2] in pixels of images of the same size.

  Returns:
    int [F], in [0, T): least Euclidean distance over the 136 coordinates,
    without alignment, because the face must be where the driver has it.
  """
  support = np.asarray(support_points, np.float64)
  drivers = np.asarray(driver_points, np.float64)
  difference = drivers[:, None] - support[None]  # [F, T, 68, 2]
  return np.square(difference).sum((2, 3)).argmin(1)


def nearest(support_frames, support_points, drivers) -> np.ndarray:
  """Answers every driver with its nearest support frame, unchanged.

  Args:
    support_frames: uint8 [T, S, S, 3].
    support_points: float [T, 68, 2] in pixels.
    drivers: flaxheads.evaluation.protocol.Drivers; its points alone are used.

  Returns:
    uint8 [F, S, S, 3].
  """
  chosen = nearest_indices(support_points, drivers.points)
  return np.asarray(support_frames)[chosen]
