"""Windows about faces, rasterised on the host, a batch of frames at a time.

The fields are those of head_warp.py and rasterise.py, which are compiled for
training. Here a triangle or a stroke visits only the pixels of its bounding
box, and nothing is compiled.
"""

import cv2
import numpy as np

from flaxheads.landmarks import head_mesh, head_warp, layout
from flaxheads.landmarks.head_warp import WarpField
from flaxheads.landmarks.rasterise import line_width

_SAMPLES = 4  # of `coverage`, along each side of a pixel
# Strokes as ranges of layout's segments.
_STROKE_ENDS = np.cumsum(
  [len(p) - (not closed) for p, closed in layout.STROKES]
)
_STROKE_OF_SEGMENT = np.searchsorted(
  _STROKE_ENDS, np.arange(len(layout.SEGMENT_STARTS)), side='right'
)


def _pixels(low, high, size):
  """All pixels of K boxes in a window, one box after the other.

  Args:
    low: float [K, 2], the smallest (x, y) of each box.
    high: float [K, 2], the largest.
    size: of the window.

  Returns:
    Number of the box, column and row of each pixel, int [P].
  """
  first = np.clip(np.floor(low - 0.5), 0, size).astype(int)
  last = np.clip(np.ceil(high - 0.5) + 1, 0, size).astype(int)
  width, height = (last - first).T
  counts = width * height
  box = np.repeat(np.arange(len(counts)), counts)
  place = np.arange(len(box)) - np.repeat(np.cumsum(counts) - counts, counts)
  row, column = np.divmod(place, np.maximum(width, 1)[box])
  return box, first[box, 0] + column, first[box, 1] + row


def warp_field(
  source: np.ndarray,
  target: np.ndarray,
  image_size: int,
  origin: np.ndarray,
  size: int,
) -> WarpField:
  """As head_warp.warp_field.

  Args:
    source: float32 [B, V, 3], of `head_mesh.mesh_vertices`.
    target: float32 [B, V, 3], of the target frames, of the same image size.
    image_size: S, pixels.
    origin: float32 [B, 2], the window's upper left corner, whole pixels.
    size: n, pixels.
  """
  source, target = head_mesh.place_vertices(source, target, image_size)
  tables = np.stack(
    [
      head_warp.triangle_table(*pair, np)
      for pair in zip(source, target, strict=True)
    ]
  ).astype(np.float32)  # [B, M, 17]
  centres = np.arange(size, dtype=np.float32) + 0.5
  x = np.tile((centres + origin[:, :1])[:, None, :], (1, size, 1))
  y = np.tile((centres + origin[:, 1:])[:, :, None], (1, 1, size))
  local = target[..., :2] - origin[:, None]
  won = _frontmost(tables, local, x, y)  # [B, n, n]
  row = np.take_along_axis(
    tables, np.maximum(won, 0).reshape(len(won), -1, 1), 1
  ).reshape(*won.shape, -1)
  covered = won >= 0
  first, second, third = _barycentric(row, x, y)
  moved = [
    np.where(
      covered,
      first * row[..., 9 + axis]
      + second * row[..., 11 + axis]
      + third * row[..., 13 + axis],
      0,
    )
    for axis in (0, 1)
  ]
  area = np.where(covered, row[..., 15], 1)
  labels = _labels(local, size)
  return WarpField(
    np.stack([x + moved[0], y + moved[1]], -1),
    labels,
    *head_warp.stretch_and_seen(area, np),
  )


def _barycentric(row, x, y):
  return [
    row[..., 3 * i] * x + row[..., 3 * i + 1] * y + row[..., 3 * i + 2]
    for i in range(3)
  ]


def _frontmost(tables, places, x, y):
  """The triangle that each pixel shows, int [B, n, n]; -1 for none."""
  batch, count = tables.shape[:2]
  size = x.shape[1]
  # Of triangles at one depth the first wins: the last to be assigned.
  order = np.argsort(tables[..., ::-1, 16], axis=1, kind='stable')
  order = count - 1 - order
  corners = places[
    np.arange(batch)[:, None, None], head_mesh.topology().triangles[order]
  ].reshape(-1, 3, 2)
  box, column, line = _pixels(corners.min(1), corners.max(1), size)
  frame, triangle = np.divmod(box, count)
  triangle = order[frame, triangle]
  row = tables[frame, triangle]
  at = frame, line, column
  inside = np.min(_barycentric(row, x[at], y[at]), 0) > -head_warp.EDGE
  won = np.full((batch, size, size), -1)
  won[frame[inside], line[inside], column[inside]] = triangle[inside]
  return won


def _labels(places, size):
  """Mouth, eyes and background, float32 [B, n, n, 3]."""
  head, mouth, *eyes = (
    _cover(places[:, list(loop)], size)
    for loop in head_mesh.topology().outlines
  )
  return np.stack([mouth, np.clip(sum(eyes), 0, 1), 1 - head], -1)


def _cover(outline, size):
  """The share of every pixel that lies in an outline, float32 [B, n, n].

  Args:
    outline: float32 [B, E, 2], pixels of the window.
    size: n.
  """
  batch, count = outline.shape[:2]
  edges = np.concatenate([outline, np.roll(outline, -1, 1)], -1).reshape(-1, 4)
  x0, y0, x1, y1 = edges.T
  run = x1 - x0
  slope = (y1 - y0) / np.where(np.abs(run) < 1e-6, 1, run)
  shifts = np.array(head_warp.SUBCOLUMNS, np.float32)
  places = (np.arange(size, dtype=np.float32)[:, None] + 0.5 + shifts).ravel()
  crosses = (places >= np.minimum(x0, x1)[:, None]) & (
    places < np.maximum(x0, x1)[:, None]
  )
  edge, place = np.nonzero(crosses)
  height = y0[edge] + slope[edge] * (places[place] - x0[edge])
  rows = np.arange(size, dtype=np.float32) + 0.5
  under = np.clip(0.5 - (height[:, None] - rows), 0, 1)
  under *= np.sign(run[edge])[:, None]
  column = edge // count * size + place // len(shifts)  # [P], of all frames
  at = column[:, None] * size + np.arange(size)
  total = np.bincount(at.ravel(), under.ravel(), batch * size * size)
  total = total.reshape(batch, size, size).swapaxes(1, 2) / len(shifts)
  return np.clip(total, 0, 1).astype(np.float32)


def coverage(
  outline: np.ndarray, width: int, height: int, bits: int = 0
) -> np.ndarray:
  """The share of every pixel of a rectangle that lies in one outline.

  By OpenCV, 16 samples a pixel; quicker than `_cover` for a single outline.

  Args:
    outline: float [E, 2], pixels of the rectangle.
    width: pixels.
    height: pixels.
    bits: fractional bits of corners, in samples.

  Returns:
    float32 [h, w, 1].
  """
  mask = np.zeros((height * _SAMPLES, width * _SAMPLES), np.uint8)
  fixed = np.round((outline * _SAMPLES - 0.5) * 2**bits).astype(np.int32)
  cv2.fillPoly(mask, [fixed], 255, cv2.LINE_8, bits)
  mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
  return mask[..., None].astype(np.float32) / 255


def sample_bilinear(image: np.ndarray, xy: np.ndarray) -> np.ndarray:
  """As head_warp.sample_bilinear.

  Args:
    image: float32 [B, H, W, C].
    xy: float32 [B, h, w, 2], pixels.
  """
  height, width = image.shape[1:3]
  x = np.clip(xy[..., 0] - 0.5, 0, width - 1)
  y = np.clip(xy[..., 1] - 0.5, 0, height - 1)
  left = np.minimum(np.floor(x), width - 2)
  top = np.minimum(np.floor(y), height - 2)
  across, down = (x - left)[..., None], (y - top)[..., None]
  left, top = left.astype(int), top.astype(int)
  frame = np.arange(len(image))[:, None, None]
  upper, lower = (
    image[frame, line, left] * (1 - across)
    + image[frame, line, left + 1] * across
    for line in (top, top + 1)
  )
  return upper * (1 - down) + lower * down


def landmark_images(points: np.ndarray, size: int) -> np.ndarray:
  """As rasterise.rasterise_landmarks.

  Args:
    points: float [B, 68, 2], pixels of the image.
    size: height and width.

  Returns:
    float32 [B, size, size, 3] in [-1, 1].
  """
  points = np.asarray(points, np.float32)
  batch, count = len(points), len(layout.SEGMENT_STARTS)
  starts = points[:, layout.SEGMENT_STARTS].reshape(-1, 2)
  directions = points[:, layout.SEGMENT_ENDS].reshape(-1, 2) - starts
  squares = np.maximum((directions**2).sum(-1, keepdims=True), 1e-6)
  width = line_width(size)
  reach = width / 2 + 0.5
  box, column, row = _pixels(
    np.minimum(starts, starts + directions) - reach,
    np.maximum(starts, starts + directions) + reach,
    size,
  )
  away = np.stack([column, row], -1).astype(np.float32) + 0.5 - starts[box]
  share = np.clip((away * (directions / squares)[box]).sum(-1), 0, 1)
  away -= share[:, None] * directions[box]
  cover = np.clip(reach - np.sqrt((away**2).sum(-1)), 0, 1)
  frame, segment = np.divmod(box, count)
  strokes = len(layout.STROKES)
  covers = np.zeros((strokes, batch, size, size), np.float32)
  np.maximum.at(
    covers, (_STROKE_OF_SEGMENT[segment], frame, row, column), cover
  )
  image = np.zeros((batch, size, size, 3), np.float32)
  for cover, colour in zip(
    covers[..., None], layout.STROKE_COLOURS, strict=True
  ):
    image += cover * (np.array(colour, np.float32) - image)
  return 2 * image - 1
