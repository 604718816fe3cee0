"""Flicker: changes of a face over time that its motion does not explain."""

import cv2
import numpy as np
from scipy.spatial import Delaunay, QhullError

from flaxheads.metrics.checks import check_faces


def _explained(frame, points, next_points):
  """Where the next face is, and what its motion makes of this frame there.

  Piecewise affine over a Delaunay triangulation of the next frame's points.

  Returns:
    Rows and columns [N] of the pixels inside the face, and float32 [N, 3].
  """
  size = np.array(frame.shape[:2])
  low = np.clip(np.floor(next_points.min(0)).astype(int), 0, size[::-1])
  high = np.clip(np.ceil(next_points.max(0)).astype(int), 0, size[::-1])
  columns, rows = np.meshgrid(
    np.arange(low[0], high[0]), np.arange(low[1], high[1])
  )
  columns, rows = columns.ravel(), rows.ravel()
  centres = np.stack([columns, rows], -1) + 0.5  # [N, 2]
  mesh = Delaunay(next_points)
  simplex = mesh.find_simplex(centres)
  # scipy's transform: barycentric = inverse @ (point - last vertex).
  inverse, last = mesh.transform[simplex, :2], mesh.transform[simplex, 2]
  first = np.einsum('nij,nj->ni', inverse, centres - last)
  weights = np.concatenate([first, 1 - first.sum(1, keepdims=True)], 1)
  from_xy = np.einsum('nk,nkd->nd', weights, points[mesh.simplices[simplex]])
  # Neither slivers, nor what comes from outside of the image.
  inside = (simplex >= 0) & np.isfinite(from_xy).all(1)
  inside &= ((from_xy >= 0) & (from_xy <= size[::-1])).all(1)
  if not inside.any():
    return rows[inside], columns[inside], np.zeros((0, 3), np.float32)
  # OpenCV's pixel centres lie at integers.
  x, y = (from_xy[inside] - 0.5).T.astype(np.float32)
  image = np.ascontiguousarray(frame, np.float32)
  moved = cv2.remap(
    image,
    x[:, None],
    y[:, None],
    cv2.INTER_LINEAR,
    borderMode=cv2.BORDER_REPLICATE,
  )
  return rows[inside], columns[inside], moved[:, 0]


def flicker(frames, points) -> np.ndarray:
  """How far each face is from the one before it, moved to its place.

  The warping error of Lai et al. 2018, "Learning Blind Video Temporal
  Consistency", section 4.2, with two changes: the motion is that of the
  driving landmarks, which is known, not of estimated optical flow; and the
  error is a mean absolute difference over the pixels of the face. Moving light
  and wrinkles count too. Real frames therefore flicker as well: theirs is the
  floor to compare with.

  Args:
    frames: uint8 [F, H, W, 3], in the order of time.
    points: float [F, 68, 2] in pixels, the driving landmarks.

  Returns:
    float64 [F - 1] in [0, 1]; NaN where a face has no pixel in the image.

  Raises:
    UserError: wrong or different shapes or types.
  """
  frames, points = check_faces(frames, points)
  changes = np.full(max(len(frames) - 1, 0), np.nan)
  for i in range(len(changes)):
    try:
      rows, columns, moved = _explained(frames[i], points[i], points[i + 1])
    except QhullError:  # points that span no area
      continue
    if len(moved):
      there = frames[i + 1, rows, columns].astype(np.float64)
      changes[i] = np.abs(there - moved).mean() / 255
  return changes
