"""The square crop around a face: one box for a clip, and its coordinates.

As in landmarks/layout.py, the origin is the image's upper left corner and pixel
centres are at half-integers.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image

# The bounding box of the points takes about half of the crop's side, so that
# hair, neck and some background are visible.
FACE_TO_SIDE = 2.0
# The crop is at least this much larger than the range of all points.
UNION_MARGIN = 1.15
# The points end at the brows, so the head's centre lies above theirs.
RAISE = 0.1


class CropBox(NamedTuple):
  """A square in fractional pixels of an image; may extend beyond it."""

  x0: float
  y0: float
  side: float


def crop_box(points: np.ndarray) -> CropBox:
  """Computes one box for all frames of a clip.

  Args:
    points: float [F, 68, 2] (or [68, 2]) in pixels of the image.

  Returns:
    The box. Its side is twice that of the face's bounding box (median over
    frames), or more if the face moves further. Its centre is that of the
    bounding boxes' range, moved up by a tenth of the side.

  Raises:
    ValueError: no points, points that are not finite, or all in one place.
  """
  points = np.asarray(points, np.float64).reshape(-1, *points.shape[-2:])
  if not len(points) or not np.isfinite(points).all():
    raise ValueError('points must be finite and of at least one frame')
  low, high = points.min(1), points.max(1)  # [F, 2]
  face = np.median((high - low).max(1))
  extent = (high.max(0) - low.min(0)).max()
  side = max(FACE_TO_SIDE * face, UNION_MARGIN * extent)
  if side <= 0:
    raise ValueError('all points lie in one place')
  centres = (low + high) / 2  # [F, 2]
  x, y = (centres.min(0) + centres.max(0)) / 2
  y -= RAISE * side
  return CropBox(float(x - side / 2), float(y - side / 2), float(side))


def window(image: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
  """The pixels [y0:y1, x0:x1]; outside of the image its edge is repeated.

  Reflection would show half a second face at the border of a close-up.

  Args:
    image: uint8 [H, W, 3].
    x0: first column; may be negative.
    y0: first row.
    x1: one past the last column; may exceed W.
    y1: one past the last row.

  Returns:
    uint8 [y1 - y0, x1 - x0, 3].
  """
  height, width = image.shape[:2]
  if 0 <= x0 and x1 <= width and 0 <= y0 and y1 <= height:
    return image[y0:y1, x0:x1]
  rows = np.clip(np.arange(y0, y1), 0, height - 1)
  columns = np.clip(np.arange(x0, x1), 0, width - 1)
  return image[rows[:, None], columns]


def crop_image(image: np.ndarray, box: CropBox, size: int) -> np.ndarray:
  """Crops `box` from `image` and resizes it.

  The box may lie at fractions of a pixel. The bicubic kernel widens on
  downscaling, so fine texture does not alias.

  Args:
    image: uint8 [H, W, 3].
    box: the square to crop; outside of the image its edge is repeated.
    size: side of the result in pixels.

  Returns:
    uint8 [size, size, 3].
  """
  # The kernel reaches two pixels of the coarser grid beyond the box.
  reach = 2 * int(np.ceil(max(box.side / size, 1.0))) + 1
  x0, y0 = int(np.floor(box.x0)), int(np.floor(box.y0))
  x1 = int(np.ceil(box.x0 + box.side)) + reach
  y1 = int(np.ceil(box.y0 + box.side)) + reach
  x0, y0 = x0 - reach, y0 - reach
  piece = Image.fromarray(np.ascontiguousarray(window(image, x0, y0, x1, y1)))
  left, top = box.x0 - x0, box.y0 - y0
  resized = piece.resize(
    (size, size),
    Image.Resampling.BICUBIC,
    box=(left, top, left + box.side, top + box.side),
  )
  return np.asarray(resized)


def points_to_crop(points: np.ndarray, box: CropBox, size: int) -> np.ndarray:
  """Converts points [..., 2] from pixels of the image to those of the crop."""
  origin = np.array([box.x0, box.y0])
  points = (np.asarray(points, np.float64) - origin) * (size / box.side)
  return points.astype(np.float32)


def turn_image(image: np.ndarray, turns: int) -> np.ndarray:
  """Turns uint8 [H, W, 3] to the left, by quarter turns."""
  return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def turn_points(
  points: np.ndarray, turns: int, shape: tuple[int, ...]
) -> np.ndarray:
  """Points [..., 2] of an image in the image that `turn_image` makes of it.

  Args:
    points: in pixels.
    turns: quarter turns to the left.
    shape: of the image before it is turned, (height, width, ...).
  """
  height, width = shape[:2]
  for _ in range(turns % 4):
    x, y = np.moveaxis(points, -1, 0)
    points = np.stack([y, width - x], -1)
    height, width = width, height
  return points


def points_from_crop(points: np.ndarray, box: CropBox, size: int) -> np.ndarray:
  """Converts points [..., 2] from pixels of the crop to those of the image."""
  origin = np.array([box.x0, box.y0])
  points = np.asarray(points, np.float64) * (box.side / size) + origin
  return points.astype(np.float32)
