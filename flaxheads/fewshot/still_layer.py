"""A background that stands still behind the head.

The mesh moves the background near the head along with it. A matte, segmented
once in a photograph, separates the head with its hair from what is behind. It
is warped with the head; where it is open, the photograph's background shows at
its own place, and what the head hid in the photograph is inpainted.
"""

import cv2
import numpy as np

from flaxheads.fewshot.mesh_target import Map, blend
from flaxheads.landmarks import head_mesh

_SIDE = 160  # pixels at which the photograph is segmented
_ROUNDS = 4
# Shares of the outline of the head: surely head, hair at most, surely not.
_INNER, _HAIR, _OUTER = 0.82, 1.3, 1.4
_MARGIN = 2  # pixels of _SIDE that the matte reaches beyond what was segmented
_FEATHER = 0.6  # pixels of _SIDE
# Within the margin a pixel's share of head follows from its colour, where head
# and background differ by more than so many levels of 255 (of a vector).
_CLEAR = 60.0
_NEAR = 4.0  # pixels of _SIDE, of the head whose colours count
_ALL = 0.3  # a share of head from which a pixel counts as all of it
# Neck, shoulders and clothes belong to the warped layer. Distances of the
# outer eye corners below the chin between which the background ends.
_CHIN, _BODY = -0.3, 0.5
_MIN_BACKGROUND = 0.04  # of the photograph, or there is no still layer
_INPAINT_REACH = 3  # pixels of _SIDE
_EDGE_BLUR = 0.7  # pixels, of a warped matte


class StillLayer:
  """The background of one photograph, and the matte of the head before it.

  Attributes:
    matte: uint8 [S, S], 255 where the photograph shows the head or the body.
    background: uint8 [S, S, 3].
  """

  def __init__(self, photograph: np.ndarray, vertices: np.ndarray):
    """Segments a photograph and inpaints its background.

    Args:
      photograph: uint8 [S, S, 3].
      vertices: float [V, 3], of `head_mesh.mesh_vertices`, pixels.
    """
    size = len(photograph)
    small = cv2.resize(photograph, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    places = vertices[:, :2] * (_SIDE / size)
    segmented = _segment(small, places)
    kernel = cv2.getStructuringElement(
      cv2.MORPH_ELLIPSE, (2 * _MARGIN + 1,) * 2
    )
    head = cv2.dilate(segmented, kernel)
    soft = cv2.GaussianBlur(head.astype(np.float32), (0, 0), _FEATHER)
    body = _body(places)
    hidden = cv2.dilate(head, kernel)
    filled = cv2.inpaint(small, hidden, _INPAINT_REACH, cv2.INPAINT_TELEA)
    behind = _enlarged(filled, size)
    share = _share_of_head(photograph, small, segmented, behind)
    share = np.maximum(_float(segmented, size), _float(soft, size) * share)
    matte = np.maximum(share, cv2.resize(body, (1, size)))
    if (np.maximum(soft, body) < 0.5).mean() < _MIN_BACKGROUND:
      matte = np.ones_like(matte)
    self.matte = np.round(255 * matte).astype(np.uint8)
    # What is no head at all stays as the photograph shows it.
    pixel = size / _SIDE
    taken = cv2.dilate(share, np.ones((2 * round(1.5 * pixel) + 1,) * 2))
    taken = cv2.GaussianBlur(np.minimum(4 * taken, 1), (0, 0), pixel / 2)
    mixed = photograph + taken[..., None] * (behind - 1.0 * photograph)
    self.background = np.round(mixed).astype(np.uint8)

  def behind(self, frame: np.ndarray, skin: Map) -> None:
    """Puts the background behind a warped frame, in place.

    Args:
      frame: uint8 [h, w, 3].
      skin: where it came from.
    """
    matte = cv2.remap(
      self.matte,
      skin.x,
      skin.y,
      cv2.INTER_LINEAR,
      borderMode=cv2.BORDER_REPLICATE,
    )
    matte = cv2.GaussianBlur(matte, (0, 0), _EDGE_BLUR)
    height, width = matte.shape
    background = self.background[
      skin.top : skin.top + height, skin.left : skin.left + width
    ]
    frame[:] = blend(frame, background, matte * np.float32(1 / 255))


def _enlarged(image, size):
  return cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)


def _float(mask, size):
  """Enlarged without overshoot, float32 [size, size]."""
  mask = mask.astype(np.float32)
  return cv2.resize(mask, (size, size), interpolation=cv2.INTER_LINEAR)


def _share_of_head(photograph, small, segmented, behind):
  """How much of each pixel is head, by its colour, float32 [S, S].

  A pixel at the edge mixes the colours of the head near it and of what is
  behind it. Where these are alike it counts as head.

  Args:
    photograph: uint8 [S, S, 3].
    small: the same, uint8 [n, n, 3].
    segmented: uint8 [n, n], 1 within the head.
    behind: uint8 [S, S, 3], the background continued behind the head.
  """
  size = len(photograph)
  weight = cv2.GaussianBlur(segmented.astype(np.float32), (0, 0), _NEAR)
  total = cv2.GaussianBlur(
    small.astype(np.float32) * segmented[..., None], (0, 0), _NEAR
  )
  near = _float(total / np.maximum(weight, 1e-6)[..., None], size)
  apart = near - behind
  square = np.square(apart).sum(-1)
  along = ((photograph - 1.0 * behind) * apart).sum(-1)
  share = along / np.maximum(square, 1e-6) / _ALL
  clear = np.minimum(square / _CLEAR**2, 1)
  return 1 - clear * (1 - np.clip(share, 0, 1))


def _fill(mask, polygon, value):
  cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], value)


def _segment(image, places):
  """The head in uint8 [h, w, 3]: uint8 [h, w], 1 where it is.

  GrabCut (Rother et al. 2004), which starts from the mesh.
  """
  points = places[:68]
  outline = places[list(head_mesh.topology().outlines[0])]
  middle = outline.mean(0)
  inner = np.zeros(image.shape[:2], np.uint8)
  _fill(inner, middle + _INNER * (outline - middle), 1)
  rows, columns = np.indices(image.shape[:2])
  labels = np.full(image.shape[:2], cv2.GC_PR_BGD, np.uint8)
  _fill(labels, middle + _HAIR * (outline - middle), cv2.GC_PR_FGD)
  labels[rows > points[8, 1]] = cv2.GC_PR_FGD
  labels[(inner > 0) & (rows < points[33, 1])] = cv2.GC_FGD
  _fill(labels, cv2.convexHull(points.astype(np.float32))[:, 0], cv2.GC_FGD)
  # High hair may reach the upper edge of the photograph.
  reach = _OUTER * np.ptp(outline[:, 0]) / 2
  aside = np.abs(columns - middle[0]) > reach
  labels[aside & (rows < points[8, 1])] = cv2.GC_BGD
  if not (labels == cv2.GC_BGD).any():
    return np.ones_like(labels)
  cv2.setRNGSeed(0)
  models = np.zeros((1, 65)), np.zeros((1, 65))
  cv2.grabCut(image, labels, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
  head = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
  _, parts = cv2.connectedComponents(head)
  x, y = np.clip(points[30].astype(int), 0, len(image) - 1)
  return (parts == parts[y, x]).astype(np.uint8)


def _body(places):
  """Rises to 1 below the chin: float32 [h, 1]."""
  unit = np.linalg.norm(places[45] - places[36])
  below = (np.arange(_SIDE)[:, None] - places[8, 1]) / unit
  share = np.clip((below - _CHIN) / (_BODY - _CHIN), 0, 1)
  return (share * share * (3 - 2 * share)).astype(np.float32)
