"""The head mesh at its place in a frame, rasterised on the host with OpenCV.

`Target` says for every pixel of a frame where a photograph has it. The skin,
the inside of the mouth and the eyes are maps of their own, so that lids and
lips have antialiased edges.
"""

from typing import NamedTuple

import cv2
import numpy as np

from flaxheads.landmarks import head_mesh, layout
from flaxheads.landmarks.host_raster import coverage

SUBPIXEL_BITS = 4  # of OpenCV's integer coordinates
_TURNED_AWAY = 20.0  # cm, as in landmarks/head_warp.py
_MIN_HEIGHT = 0.7  # pixels, of triangles that are filled
_HOLE_MARGIN = 2  # pixels that holes are filled beyond their edge
_SHUT_LIDS = 0.5  # of an open eye's share, see Target.eyes


class Map(NamedTuple):
  """Where a rectangle of the target comes from.

  Attributes:
    x: float32 [h, w], columns of the source, as OpenCV counts them: the
      first pixel's centre lies at 0.
    y: float32 [h, w], rows.
    left: of the rectangle in the target, pixels.
    top: the same.
  """

  x: np.ndarray
  y: np.ndarray
  left: int
  top: int


class Hole(NamedTuple):
  """The inside of the mouth, or an eye, in the rectangle about it.

  Attributes:
    map: Map.
    share: float32 [h, w, 1] in [0, 1], of each pixel that lies in the hole.
    shown: how much of the hole the photograph shows, in [0, 1].
    is_mouth: False for eyes.
  """

  map: Map
  share: np.ndarray
  shown: float
  is_mouth: bool


def blend(image: np.ndarray, other: np.ndarray, share: np.ndarray):
  """Mixes two images: share * image + (1 - share) * other, rounded.

  Args:
    image: uint8 [h, w, 3]; where its share is 1, it stays to the bit.
    other: uint8 [h, w, 3].
    share: float32 [h, w].
  """
  share = np.ascontiguousarray(share)
  return cv2.blendLinear(image, np.asarray(other), share, 1 - share)


def _groups():
  """Triangles of the skin, and those of the mouth and of each eye."""
  triangles, labels, _ = head_mesh.topology()
  skin = np.flatnonzero(
    (labels == head_mesh.HEAD) | (labels == head_mesh.BACKGROUND)
  )
  holes = [np.flatnonzero(labels == head_mesh.MOUTH)]
  for eye in (layout.LEFT_EYE, layout.RIGHT_EYE):
    holes.append(np.flatnonzero(np.isin(triangles, eye).all(1)))
  return skin, holes


_SKIN, _HOLES = _groups()
_HOLE_LOOPS = tuple(list(loop) for loop in head_mesh.topology().outlines[1:])


def _corners(places):
  return places[head_mesh.topology().triangles]  # [M, 3, 2]


def _cross(a, b):
  return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


class Target:
  """The mesh at its place in one frame: rasterised once for all photographs."""

  def __init__(self, vertices: np.ndarray, box: tuple[int, int, int, int]):
    """Rasterises.

    Args:
      vertices: float [V + NUM_BORDER, 3], pixels and depth.
      box: left, top, right, bottom: the part of the frame that is composed.
    """
    self._places = vertices[:, :2].astype(np.float64)
    self._corners = _corners(self._places)
    a, b, c = np.moveaxis(self._corners, 1, 0)
    self._area = _cross(b - a, c - a)
    triangles = head_mesh.topology().triangles
    depth = vertices[triangles, 2].mean(1)
    depth = depth - np.where(self._area < 0, _TURNED_AWAY, 0)
    left, top, right, bottom = box
    order = _SKIN[np.argsort(depth[_SKIN], kind='stable')]
    self._skin = self._fill(order, left, top, right - left, bottom - top)
    self._box = box

  @property
  def box(self) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what was rasterised."""
    return self._box

  def _fill(self, order, left, top, width, height):
    """uint8 [h, w]: 1 + number of the triangle, the last in order on top."""
    index = np.zeros((height, width), np.uint8)
    # OpenCV's integers are centres of pixels.
    corners = self._corners[order] - (left + 0.5, top + 0.5)
    corners = np.clip(corners, -(2**14), 2**14)
    fixed = np.round(corners * 2**SUBPIXEL_BITS).astype(np.int32)
    # OpenCV fills the edges of a triangle too: slivers would be dotted lines.
    edges = corners - np.roll(corners, 1, 1)
    longest = np.linalg.norm(edges, axis=-1).max(1)
    thin = np.abs(self._area[order]) < _MIN_HEIGHT * longest
    for number, points, skipped in zip(order, fixed, thin, strict=True):
      if not skipped:
        cv2.fillConvexPoly(
          index, points, int(number) + 1, cv2.LINE_8, SUBPIXEL_BITS
        )
    return index

  def skin(self, source: np.ndarray, box=None) -> Map:
    """The map of all but mouth and eyes.

    Args:
      source: float [V + NUM_BORDER, 2], vertices in the photograph, pixels.
      box: a part of the target's own; None for all of it.
    """
    left, top, right, bottom = self._box if box is None else box
    rows = slice(top - self._box[1], bottom - self._box[1])
    columns = slice(left - self._box[0], right - self._box[0])
    return self._map(self._skin[rows, columns], source, left, top)

  def holes(self, source: np.ndarray, box=None):
    """The maps of the mouth and of both eyes, as far as they are open.

    Args:
      source: as of `skin`.
      box: as of `skin`.

    Yields:
      Hole.
    """
    box = self._box if box is None else box
    for order, loop in zip(_HOLES, _HOLE_LOOPS, strict=True):
      outline, is_mouth = self._places[loop], order is _HOLES[0]
      shown = _shown(np.asarray(source)[loop, :2], outline)
      if is_mouth:
        outline = _rounded(outline, 1 - shown)
      low = np.floor(outline.min(0)).astype(int) - _HOLE_MARGIN
      high = np.ceil(outline.max(0)).astype(int) + _HOLE_MARGIN
      left, top = np.maximum(low, box[:2])
      right, bottom = np.minimum(high, box[2:])
      if left >= right or top >= bottom:
        continue
      index = self._fill(order, left, top, right - left, bottom - top)
      if not index.any():
        continue
      # Beyond its edge, a hole continues the pixels of its edge.
      kernel = np.ones((3, 3), np.uint8)
      for _ in range(2 * _HOLE_MARGIN):
        index = np.where(index, index, cv2.dilate(index, kernel))
      yield Hole(
        self._map(index, source, left, top),
        coverage(
          outline - (left, top), right - left, bottom - top, SUBPIXEL_BITS
        ),
        shown,
        is_mouth,
      )

  def eyes(self, source: np.ndarray):
    """Outlines of both eyes, and how well the photograph shows each.

    An open eye of the photograph shows an open one fully, and a shut one half,
    for it has few pixels of the lid.

    Args:
      source: as of `skin`.

    Yields:
      float64 [6, 2], pixels of the frame, and a share in [0, 1].
    """
    for loop in _HOLE_LOOPS[1:]:
      before, after = np.asarray(source)[loop, :2], self._places[loop]
      opening = min(_area(after) / max(_area(before), 1e-3), 1.0)
      lids = _SHUT_LIDS + (1 - _SHUT_LIDS) * opening
      yield after, _shown(before, after) * lids

  def seams(self, source: np.ndarray):
    """Outlines of mouth and eyes that close, and how far, from 0 to 1.

    Args:
      source: as of `skin`.
    """
    for loop in _HOLE_LOOPS:
      before, after = (_area(p[loop, :2]) for p in (source, self._places))
      if after < before / 2:
        yield self._places[loop], 1 - 2 * after / before

  def _map(self, index, source, left, top):
    """Offsets of each pixel from the affine map of its triangle."""
    a, b, c = np.moveaxis(self._corners, 1, 0)
    moved = _corners(np.asarray(source[:, :2], np.float64)) - self._corners
    m0, m1, m2 = np.moveaxis(moved, 1, 0)
    area = np.where(np.abs(self._area) < 1e-3, np.inf, self._area)[:, None]
    ab, ac = b - a, c - a
    # offset = m0 + (m1 - m0) u + (m2 - m0) v; u, v are linear in the pixel.
    du = np.stack([ac[:, 1], -ac[:, 0]], -1) / area
    dv = np.stack([-ab[:, 1], ab[:, 0]], -1) / area
    slope = (m1 - m0)[:, :, None] * du[:, None] + (m2 - m0)[:, :, None] * dv[
      :, None
    ]  # [M, 2 of the offset, 2 of the pixel]
    start = a - (left + 0.5, top + 0.5)
    constant = m0 - (slope * start[:, None]).sum(-1)
    height, width = index.shape
    columns = np.arange(width, dtype=np.float32)[None]
    rows = np.arange(height, dtype=np.float32)[:, None]
    maps = []
    for axis, straight in enumerate((columns + left, rows + top)):
      table = np.zeros((3, 256), np.float32)
      used = slice(1, 1 + len(self._corners))
      table[:2, used] = slope[:, axis].T
      table[2, used] = constant[:, axis]
      by_x, by_y, shift = (cv2.LUT(index, row) for row in table)
      by_x *= columns
      by_y *= rows
      shift += by_x
      shift += by_y
      shift += straight
      maps.append(shift)
    return Map(*maps, left, top)


def _area(outline):
  """Square pixels in an outline."""
  return abs(_cross(outline, np.roll(outline, -1, 0)).sum()) / 2


def _shown(source, outline):
  """From 0 for a mouth shut in the photograph to 1 for one as open, or half."""
  before, after = _area(source), _area(outline)
  return float(np.clip(2 * before / max(after, 1e-3), 0, 1))


def _rounded(outline, share):
  """An outline of N points with edges that bulge: Catmull-Rom, [4 N, 2].

  A share of 0 keeps the edges straight. Lips have no corners but the two.
  """
  before, after = np.roll(outline, 1, 0), np.roll(outline, -1, 0)
  slopes = (after - before) / 2
  pieces = []
  for t in np.linspace(0, 1, 4, endpoint=False):
    straight = outline + t * (after - outline)
    start = t * (1 - t) ** 2 * (slopes - (after - outline))
    end = t * t * (1 - t) * ((after - outline) - np.roll(slopes, -1, 0))
    pieces.append(straight + share * (start + end))
  return np.stack(pieces, 1).reshape(-1, 2)
