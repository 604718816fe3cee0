"""A moving head, pasted back into the whole picture it came from."""

import cv2
import numpy as np

from flaxheads.data.portrait import Portrait

# Shares of the crop's side, inside of which the mask has to fade.
_BORDER = 0.02  # of nothing but the picture
_FADE = 0.16  # from there to nothing but the drawing
_BLUR = 0.1  # what is coarser is matched in colour
_MAX_SHIFT = 48  # of 255, of a colour
# A head with its hair, as an ellipse about the landmarks: half axes in halves
# of their box, its middle above theirs. The mask is 1 in it and 0 beyond 1.4.
_WIDE, _HIGH, _UP, _REACH = 1.35, 1.5, 0.3, 1.4
_MASK_FRAMES = 64


def _smooth(t):
  """From 0 at 0 to 1 at 1, without a kink."""
  t = np.clip(t, 0, 1)
  return t * t * (3 - 2 * t)


def _head_weight(points, x, y):
  """1 wherever a head is in any frame, [len(y), len(x)]; shares of the side."""
  chosen = np.linspace(0, len(points) - 1, min(len(points), _MASK_FRAMES))
  nearest = np.full((len(y), len(x)), np.inf)
  for face in points[np.unique(chosen.round().astype(int))]:
    low, high = face.min(0), face.max(0)
    half = np.maximum((high - low) / 2, 1e-3)
    middle = (low + high) / 2 - (0, _UP * half[1])
    across = (x - middle[0]) / (_WIDE * half[0])
    down = (y - middle[1]) / (_HIGH * half[1])
    nearest = np.minimum(nearest, np.hypot(across, down[:, None]))
  return _smooth((_REACH - nearest) / (_REACH - 1))


class Paste:
  """Pastes drawings of one person into that person's portrait.

  Attributes:
    mask: float32 [H, W, 1], from 0 where the portrait stays untouched to the
      bit to 1 where the drawing alone is seen.
  """

  def __init__(self, portrait: Portrait, still: np.ndarray, points: np.ndarray):
    """Prepares mask and colours, which are the same for all frames.

    Args:
      portrait: the picture, and the square that the drawings show.
      still: uint8 [S, S, 3], the drawing of the portrait's own landmarks.
      points: float [F, 68, 2] in pixels of the drawings: wherever the head
        will be, and where the portrait has it.
    """
    self._image, self._box = portrait
    height, width = self._image.shape[:2]
    x0, y0, side = self._box
    self._rows = slice(max(0, int(y0)), min(height, int(y0 + side) + 1))
    self._columns = slice(max(0, int(x0)), min(width, int(x0 + side) + 1))
    self._part = self._image[self._rows, self._columns].astype(np.float32)
    self._weight = self._make_weight(height, width, points / len(still))
    self._shift = self._match_colours(still)

  @property
  def mask(self) -> np.ndarray:
    mask = np.zeros((*self._image.shape[:2], 1), np.float32)
    mask[self._rows, self._columns] = self._weight
    return mask

  def __call__(self, drawing: np.ndarray) -> np.ndarray:
    """Pastes uint8 [S, S, 3]; returns uint8 [H, W, 3]."""
    drawn = self._enlarge(drawing) + self._shift
    mixed = self._part + self._weight * (drawn - self._part)
    mixed = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    pasted = self._image.copy()
    pasted[self._rows, self._columns] = mixed
    return pasted

  def _make_weight(self, height, width, points):
    """About the head, and rising from those sides where the picture goes on."""
    x0, y0, side = self._box
    x = (np.arange(self._columns.start, self._columns.stop) + 0.5 - x0) / side
    y = (np.arange(self._rows.start, self._rows.stop) + 0.5 - y0) / side

    def rise(place, open_before, open_after):
      before = place if open_before else np.full_like(place, 1.0)
      after = 1 - place if open_after else np.full_like(place, 1.0)
      return _smooth((np.minimum(before, after) - _BORDER) / _FADE)

    across = rise(x, x0 > 0, x0 + side < width)
    down = rise(y, y0 > 0, y0 + side < height)
    heads = _head_weight(points, x, y)
    return (heads * down[:, None] * across)[..., None].astype(np.float32)

  def _enlarge(self, drawing):
    """float32 [h, w, 3]: the drawing at the portrait's pixels."""
    x0, y0, side = self._box
    scale = drawing.shape[0] / side
    # Pixel centres lie at half-integers, OpenCV's at integers.
    left = (self._columns.start + 0.5 - x0) * scale - 0.5
    top = (self._rows.start + 0.5 - y0) * scale - 0.5
    height, width = self._part.shape[:2]
    return cv2.warpAffine(
      drawing.astype(np.float32),
      np.array([[scale, 0, left], [0, scale, top]]),
      (width, height),
      flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
      borderMode=cv2.BORDER_REPLICATE,
    )

  def _match_colours(self, still):
    """What the portrait's coarse colours are apart from the drawing's."""
    apart = self._part - self._enlarge(still)
    sigma = max(1.0, _BLUR * self._box.side)
    coarse = cv2.GaussianBlur(
      apart, (0, 0), sigma, borderType=cv2.BORDER_REFLECT
    )
    return np.clip(coarse, -_MAX_SHIFT, _MAX_SHIFT)
