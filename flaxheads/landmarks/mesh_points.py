"""The 68 points of a face from the 478 of the attention mesh.

All but the jaw's are vertices. The far side of a turned head hides the jaw's
vertices behind the cheek; the 68-point layout reports the visible outline
there, as its annotators did and as flaxheads.data.scanned_heads does.
"""

import cv2
import numpy as np

from flaxheads.landmarks import layout

# Vertices in the order of layout.py.
_VERTICES = np.array(
  # jaw
  [162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323]
  + [454, 389]
  # brows
  + [71, 63, 105, 66, 107, 336, 296, 334, 293, 301]
  # nose
  + [168, 197, 5, 4, 75, 97, 2, 326, 305]
  # eyes
  + [33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380]
  # mouth
  + [61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181]
  + [78, 82, 13, 312, 308, 317, 14, 87]
)
_FACE = 468  # vertices of the face; those of the irises follow
_JAW = np.array(layout.JAW)
_SIDES = np.sign(_JAW - 8)  # of the 17 points: left in the image, chin, right
# The mesh of a face that looks ahead is about that wide beyond the jaw's
# points, in distances of the outer eye corners.
_TOLERANCE = 0.03


def landmarks(mesh: np.ndarray) -> np.ndarray:
  """The 68 points of a face.

  Args:
    mesh: float32 [478, 2 or 3], of face_networks.mesh.

  Returns:
    float32 [68, 2], (x, y) in pixels. Points of the jaw move outwards to the
    outline of the mesh where they lie more than a few per cent of the distance
    of the eyes within it, by what exceeds that; continuous in `mesh`.
  """
  points = mesh[_VERTICES, :2].astype(np.float64)
  across = points[45] - points[36]
  size = np.linalg.norm(across)
  if size == 0:
    return points.astype(np.float32)
  across = across / size
  down = np.array([-across[1], across[0]])
  hull = cv2.convexHull(mesh[:_FACE, :2].astype(np.float32))[:, 0]
  jaw = points[_JAW]
  low, high = _extent(hull @ down, hull @ across, jaw @ down)
  reached = jaw @ across
  hidden = np.where(_SIDES < 0, reached - low, high - reached)
  moved = _SIDES * np.maximum(hidden - _TOLERANCE * size, 0)
  points[_JAW] += moved[:, None] * across
  return points.astype(np.float32)


def _extent(y, x, rows):
  """The least and the largest x of a convex polygon at rows, [N] each."""
  rows = np.clip(rows, y.min(), y.max())
  y0, x0, y1, x1 = y, x, np.roll(y, -1), np.roll(x, -1)
  low, high = np.minimum(y0, y1), np.maximum(y0, y1)
  crossed = (rows[:, None] >= low) & (rows[:, None] <= high)
  share = (rows[:, None] - y0) / np.where(y1 == y0, 1, y1 - y0)
  place = x0 + np.clip(share, 0, 1) * (x1 - x0)
  least = np.where(crossed, place, np.inf).min(1)
  return least, np.where(crossed, place, -np.inf).max(1)
