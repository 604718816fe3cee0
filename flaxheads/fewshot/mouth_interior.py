"""The inside of a mouth that the photograph shows shut.

A photograph with closed lips has no pixels of teeth or tongue. They are
generated here: two rows of teeth that follow the skull and the jaw, a tongue
and a dark cavity, in colours that suit the photograph. The lips of the warped
frame hide what lies behind them. Everything is a function of the landmarks,
so it is as steady in time as they are.
"""

import functools
from typing import NamedTuple

import cv2
import numpy as np

from flaxheads.landmarks import face_shape
from flaxheads.landmarks.face_shape import Motion
from flaxheads.landmarks.head_mesh import HeadTrack

_PER_CM = 40  # pixels of the texture
_WIDE, _HIGH = 6.4, 3.2  # cm, of the texture
# Widths as seen from ahead, from the middle outwards, and heights, cm.
_TEETH = (
  (0.82, 1.02),
  (0.64, 0.88),
  (0.62, 0.94),
  (0.46, 0.80),
  (0.36, 0.74),
  (0.26, 0.68),
)
# Size and light of lower teeth, against upper ones.
_LOWER, _LOWER_LIGHT = 0.72, 0.6
_CORNER = 0.3  # radius of a tooth's corners, shares of its width
_MOUTH_WIDTH = 5.2  # cm, of the mouth that these teeth suit
_BEHIND_LIPS = 0.9  # cm
_BELOW_LIPS = 0.28  # cm that upper teeth reach below the line of shut lips
_OVERBITE = 0.1  # cm
# The jaw of a mouth that is open by `gap` drops by what exceeds _LIPS_ALONE,
# for lips part in a grin without the jaw.
_LIPS_ALONE, _JAW_SHARE = 0.45, 0.85
_UPPER_LIP = 0.35  # of the gap, by which the upper lip rises
_ENAMEL = np.array([226.0, 217.0, 204.0])
_SKIN_LIGHT = 185.0  # luminance of skin beside which teeth look like _ENAMEL
_LUMINANCE = np.array([0.299, 0.587, 0.114])
_LIP_EDGE = 0.04  # cm
_SHADE = 0.4  # of light that is left beside the lips
_SHADE_REACH = 0.22  # cm


class Bite(NamedTuple):
  """Where the teeth are in a frame.

  Attributes:
    upper: float64 [2, 3], from (x, y, 1), cm right of and below the middle of
      the upper teeth's edge, to pixels.
    lower: float64 [2, 3], the same of the lower teeth, y upwards.
    scale: pixels for a centimetre.
  """

  upper: np.ndarray
  lower: np.ndarray
  scale: float


@functools.cache
def _teeth_texture():
  """One row of teeth, float32 [h, w, 3]: enamel, gum and cover.

  The first two are brightnesses. The edges that bite lie along the middle row,
  the roots above it.
  """
  height, width = round(_HIGH * _PER_CM), round(_WIDE * _PER_CM)
  y, x = np.mgrid[:height, :width] / _PER_CM
  x = np.abs(x - _WIDE / 2)  # mirror-symmetric
  y = _HIGH / 2 - y  # cm above the edge
  enamel, gum, cover = np.zeros((3, *x.shape))
  start = 0.0
  for wide, high in _TEETH:
    across = (x - start) / wide * 2 - 1  # -1 to 1 in the tooth
    # Rounded corners at the edge, and shorter teeth end higher.
    lift = (_TEETH[0][1] - high) * 0.5
    corner = np.clip(np.abs(across) - (1 - _CORNER), 0, 1) / _CORNER
    edge = lift + 0.11 * corner**2.5
    inside = (np.abs(across) <= 1) & (y >= edge)
    # Curved towards the neighbours, dimmer in the back.
    curve = 1 - 0.22 * np.abs(across) ** 4
    back = 1 - 0.62 * (start / (_WIDE / 2)) ** 1.3
    # Translucent at the edge, shaded at the root.
    along = 0.9 + 0.1 * np.clip((y - edge) / 0.25, 0, 1)
    along = along - 0.12 * np.clip((y - 0.45) / 0.5, 0, 1)
    light = np.where(inside, curve * back * along, 0)
    root = np.clip((y - high + 0.12 * across**2) * 16, 0, 1)
    enamel += light * (1 - root)
    gum += light * root
    cover = np.where(inside, 1.0, cover)
    start += wide
  return np.stack([enamel, gum, cover], -1).astype(np.float32)


class Mouth(NamedTuple):
  """The inside of the mouth in one frame; `interior.render` of a rectangle."""

  interior: 'MouthInterior'
  bite: Bite

  @property
  def softness(self) -> float:
    """Of the edges of the lips, pixels."""
    return _LIP_EDGE * self.bite.scale

  def __call__(self, share, left: int, top: int) -> np.ndarray:
    """See MouthInterior.render."""
    return self.interior.render(self.bite, share, left, top)


class MouthInterior:
  """Teeth, tongue and cavity of one person."""

  def __init__(self, photograph: np.ndarray, track: HeadTrack):
    """Takes colours and the place of the lips from a photograph.

    Args:
      photograph: uint8 [S, S, 3].
      track: of its landmarks; further frames are not read.
    """
    points, rest = track.points[0], track.rest
    skin, lips = _colours(photograph, points)
    light = float(skin @ _LUMINANCE)
    gain = np.clip(light / _SKIN_LIGHT, 0.15, 1.1)
    cast = skin / max(light, 1.0) * float(_ENAMEL @ _LUMINANCE)
    self._enamel = np.clip(gain * (0.55 * _ENAMEL + 0.45 * cast), 0, 235)
    self._cavity, self._cheek = 0.16 * lips, 0.45 * lips
    self._tongue, self._gum = 0.62 * lips, 0.8 * lips
    size = (rest[54, 0] - rest[48, 0]) / _MOUTH_WIDTH
    self._size = float(np.clip(size, 0.8, 1.2))
    self._middle = _stomion(track) - (0, _BELOW_LIPS, _BEHIND_LIPS)

  def place(self, points: np.ndarray, motion: Motion) -> list[Mouth]:
    """The mouth in F frames.

    Args:
      points: float [F, 68, 2], pixels.
      motion: the head's, as fitted to them.
    """
    gap = np.linalg.norm(points[:, 62] - points[:, 66], axis=-1) / motion.scale
    drop = _JAW_SHARE * np.maximum(gap / self._size - _LIPS_ALONE, 0)
    still = np.zeros_like(drop)
    bites = zip(
      self._frames(motion, still, -1),
      self._frames(motion, (drop - _OVERBITE) * self._size, 1),
      motion.scale * self._size,
      strict=True,
    )
    return [Mouth(self, Bite(*bite)) for bite in bites]

  def _frames(self, motion, drop, sign):
    """Maps of the plane of the teeth, [F, 2, 3]; `sign` of y in space."""
    size = self._size
    placed = []
    for offset in ((0, 0, 0), (size, 0, 0), (0, sign * size, 0)):
      place = face_shape.project((self._middle + offset)[None], motion)[:, 0]
      placed.append((place + motion.shift) * (1, -1))
    origin, across, down = placed
    # The jaw drops along the head's own vertical.
    origin = origin - sign * (down - origin) * (drop / size)[:, None]
    move = origin - placed[0]
    columns = [across - placed[0], down - placed[0], placed[0] + move]
    return np.stack(columns, -1)

  def render(self, bite, share, left: int, top: int) -> np.ndarray:
    """The inside in a rectangle of a frame.

    Args:
      bite: Bite.
      share: float32 [h, w, 1], what of each pixel lies between the lips.
      left: of the rectangle, pixels.
      top: the same.

    Returns:
      float32 [h, w, 3] in [0, 255].
    """
    height, width = share.shape[:2]
    depth = cv2.distanceTransform(
      (share[..., 0] > 0.5).astype(np.uint8), cv2.DIST_L2, 3
    )[..., None]
    x, y = np.meshgrid(
      np.arange(width) + left + 0.5, np.arange(height) + top + 0.5
    )
    back = cv2.invertAffineTransform(bite.lower)
    below = back[1, 0] * x + back[1, 1] * y + back[1, 2]  # cm over the edge
    aside = back[0, 0] * x + back[0, 1] * y + back[0, 2]
    tongue = np.clip(1 - np.hypot(aside / 2.0, (below + 0.1) / 0.8), 0, 1)
    tongue = (tongue * tongue * (3 - 2 * tongue))[..., None]
    image = self._cavity + tongue * (self._tongue - self._cavity)
    cheek = np.clip(np.abs(aside) - 1.6, 0, 1)[..., None]
    image = image + cheek * (self._cheek - image)
    for frame, size, light in (
      (bite.lower, _LOWER, _LOWER_LIGHT),
      (bite.upper, 1.0, 1.0),
    ):
      teeth = _place_teeth(frame, size, bite.scale, share, left, top)
      enamel, gum, cover = np.split(teeth, 3, -1)
      row = enamel * self._enamel + gum * self._gum
      image = image * (1 - cover) + light * row
    lit = np.clip(depth / (_SHADE_REACH * bite.scale), 0, 1)
    return (image * (_SHADE + (1 - _SHADE) * lit)).astype(np.float32)


def _place_teeth(frame, size, scale, share, left, top):
  """A row in a rectangle, float32 [h, w, 3], of `_teeth_texture`."""
  row = _teeth_texture()
  blur = 0.5 * _PER_CM / max(scale * size, 1e-3)  # against aliasing
  if blur > 0.5:
    row = cv2.GaussianBlur(row, (0, 0), blur)
  texture = np.array(
    [
      [size / _PER_CM, 0, size * (0.5 / _PER_CM - _WIDE / 2)],
      [0, size / _PER_CM, size * (0.5 / _PER_CM - _HIGH / 2)],
      [0, 0, 1],
    ]
  )
  whole = (frame @ texture) - [[0, 0, left + 0.5], [0, 0, top + 0.5]]
  height, width = share.shape[:2]
  return cv2.warpAffine(row, whole, (width, height), flags=cv2.INTER_LINEAR)


def _stomion(track):
  """Where this person's lips meet, [3], cm: as seen in the photograph."""
  upper, lower = track.points[0, [62, 66]]
  place = upper + _UPPER_LIP * (lower - upper)
  point = track.rest[[62, 66]].mean(0)
  motion = Motion(*(each[:1] for each in track.motion))
  seen = face_shape.project(point[None], motion)[0, 0] + motion.shift[0]
  apart = (place * (1, -1) - seen) / motion.scale[0]
  return point + apart @ motion.rotation[0, :2]


def _colours(photograph, points):
  """Mean colours of the cheeks and chin, and of the lips, [3] each."""
  points = np.asarray(points, np.float64)
  cheeks = [
    np.stack([points[31], points[3], points[48]]),
    np.stack([points[35], points[13], points[54]]),
  ]
  lips = [
    points[[48, 49, 50, 51, 52, 53, 54, 64, 63, 62, 61, 60]],
    points[[48, 59, 58, 57, 56, 55, 54, 64, 65, 66, 67, 60]],
  ]
  return tuple(_mean_within(photograph, each) for each in (cheeks, lips))


def _mean_within(photograph, outlines):
  mask = np.zeros(photograph.shape[:2], np.uint8)
  for outline in outlines:
    cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1)
  chosen = photograph[mask > 0]
  if not len(chosen):
    return np.array([128.0, 128.0, 128.0])
  return np.median(chosen.astype(np.float64), 0)
