"""Pastes a moving head back into the image that it was cropped from."""

from typing import NamedTuple

import cv2
import numpy as np

from flaxheads.data.support import Portrait, shrink
from flaxheads.errors import UserError
from flaxheads.fewshot.person import Person, animate

MAX_SIDE = 1024  # pixels of a video; larger portraits are downscaled
# Shares of the crop's side.
_BORDER = 0.02  # along its rim, where only the portrait shows
_FADE = 0.16  # from there on the mask rises to 1
_BLUR = 0.1  # colours are matched at coarser scales than this
_MAX_SHIFT = 48  # of 255, of a colour
_MASK_FRAMES = 64
# The difference to the frame of the portrait's own landmarks, of 255, up to
# which a pixel stands still, and from which it moves; the blur is a share of
# the side.
_STILL, _MOVES, _MOTION_BLUR = 8.0, 32.0, 0.015


class _Ellipse(NamedTuple):
  """An ellipse about the landmarks.

  Half axes and the middle's offset upwards are in halves of the landmarks'
  box. The weight is 1 inside, and 0 beyond `reach` times the size.
  """

  wide: float
  high: float
  up: float
  reach: float


_HEAD = _Ellipse(1.35, 1.5, 0.3, 1.4)  # with its hair
# Of people made of photographs, whose hair and background are their own.
_HEAD_OF_PHOTOGRAPHS = _Ellipse(1.9, 2.0, 0.35, 1.25)
_FACE = _Ellipse(0.95, 0.95, 0.0, 1.35)


def _smooth(t):
  """Smoothstep: from 0 at 0 to 1 at 1."""
  t = np.clip(t, 0, 1)
  return t * t * (3 - 2 * t)


def _weigh(ellipse, points, x, y):
  """1 wherever the ellipse is in any frame, [len(y), len(x)]."""
  chosen = np.linspace(0, len(points) - 1, min(len(points), _MASK_FRAMES))
  nearest = np.full((len(y), len(x)), np.inf)
  for face in points[np.unique(chosen.round().astype(int))]:
    low, high = face.min(0), face.max(0)
    half = np.maximum((high - low) / 2, 1e-3)
    middle = (low + high) / 2 - (0, ellipse.up * half[1])
    across = (x - middle[0]) / (ellipse.wide * half[0])
    down = (y - middle[1]) / (ellipse.high * half[1])
    nearest = np.minimum(nearest, np.hypot(across, down[:, None]))
  return _smooth((ellipse.reach - nearest) / (ellipse.reach - 1))


class Paste:
  """Pastes generated frames of one person into that person's portrait.

  The face comes from the generated frame. Around it the portrait's own hair and
  background stay wherever the frame stands still, because a model invents both.

  Attributes:
    mask: float32 [H, W, 1], the largest weight of a generated frame; the
      portrait stays untouched to the bit where it is 0.
  """

  def __init__(
    self,
    portrait: Portrait,
    still: np.ndarray,
    points: np.ndarray,
    own_pixels: bool = False,
  ):
    """Prepares mask and colours, which are the same for all frames.

    Args:
      portrait: the image, and the square that generated frames show.
      still: uint8 [S, S, 3], generated from the portrait's own landmarks.
      points: float [F, 68, 2] in pixels of generated frames: everywhere the
        head will be, and where the portrait has it.
      own_pixels: whether the frames are made of the portrait's own pixels, hair
        and background too. Where such a frame stands still, it is the same
        frame to the bit.
    """
    self._image, self._box = portrait
    height, width = self._image.shape[:2]
    x0, y0, side = self._box
    self._rows = slice(max(0, int(y0)), min(height, int(y0 + side) + 1))
    self._columns = slice(max(0, int(x0)), min(width, int(x0 + side) + 1))
    self._part = self._image[self._rows, self._columns].astype(np.float32)
    head = _HEAD_OF_PHOTOGRAPHS if own_pixels else _HEAD
    self._weight, self._face = self._make_weights(
      height, width, points / len(still), head
    )
    self._own_pixels = own_pixels
    self._still = still.astype(np.float32)
    self._shift = self._match_colours(still)

  @property
  def mask(self) -> np.ndarray:
    mask = np.zeros((*self._image.shape[:2], 1), np.float32)
    mask[self._rows, self._columns] = self._weight
    return mask

  def __call__(self, frame: np.ndarray) -> np.ndarray:
    """Pastes uint8 [S, S, 3]; returns uint8 [H, W, 3]."""
    enlarged = self._enlarge(frame) + self._shift
    moving = np.clip(self._enlarge(self._find_motion(frame)), 0, 1)[..., None]
    weight = self._weight * np.maximum(self._face, moving)
    mixed = self._part + weight * (enlarged - self._part)
    mixed = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    pasted = self._image.copy()
    pasted[self._rows, self._columns] = mixed
    return pasted

  def _find_motion(self, frame):
    """float32 [S, S], from 0 where it stands still to 1 where it moves."""
    apart = np.abs(frame - self._still).max(-1)
    sigma = max(0.5, _MOTION_BLUR * len(apart))
    if self._own_pixels:
      # Thin lines that have left their place, such as the end of a brow.
      side = 2 * round(sigma) + 1
      apart = cv2.dilate(apart, np.ones((side, side), np.uint8))
    apart = cv2.GaussianBlur(apart, (0, 0), sigma)
    return _smooth((apart - _STILL) / (_MOVES - _STILL))

  def _make_weights(self, height, width, points, head):
    """Weights of the head, which fade at sides where the image continues.

    And of the face, which is generated whether or not the head moves.
    """
    x0, y0, side = self._box
    x = (np.arange(self._columns.start, self._columns.stop) + 0.5 - x0) / side
    y = (np.arange(self._rows.start, self._rows.stop) + 0.5 - y0) / side

    def rise(place, open_before, open_after):
      before = place if open_before else np.full_like(place, 1.0)
      after = 1 - place if open_after else np.full_like(place, 1.0)
      return _smooth((np.minimum(before, after) - _BORDER) / _FADE)

    across = rise(x, x0 > 0, x0 + side < width)
    down = rise(y, y0 > 0, y0 + side < height)
    head = _weigh(head, points, x, y) * down[:, None] * across
    face = _weigh(_FACE, points, x, y)
    return [each[..., None].astype(np.float32) for each in (head, face)]

  def _enlarge(self, frame):
    """[S, S, ...] resampled at the portrait's pixels: float32 [h, w, ...]."""
    x0, y0, side = self._box
    scale = frame.shape[0] / side
    # Pixel centres lie at half-integers, OpenCV's at integers.
    left = (self._columns.start + 0.5 - x0) * scale - 0.5
    top = (self._rows.start + 0.5 - y0) * scale - 0.5
    height, width = self._part.shape[:2]
    return cv2.warpAffine(
      frame.astype(np.float32),
      np.array([[scale, 0, left], [0, scale, top]]),
      (width, height),
      flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
      borderMode=cv2.BORDER_REPLICATE,
    )

  def _match_colours(self, still):
    """How far the portrait's coarse colours are from the still frame's."""
    apart = self._part - self._enlarge(still)
    sigma = max(1.0, _BLUR * self._box.side)
    coarse = cv2.GaussianBlur(
      apart, (0, 0), sigma, borderType=cv2.BORDER_REFLECT
    )
    return np.clip(coarse, -_MAX_SHIFT, _MAX_SHIFT)


def check_portrait(person: Person) -> None:
  """Raises UserError where a person cannot be pasted back."""
  if person.portrait is None:
    raise UserError(
      '--paste_back: this person was made without a portrait; make the person '
      'again with launch.finetune'
    )


def make_paste(person: Person, points: np.ndarray) -> Paste:
  """The paste-back of a person.

  Args:
    person: with a portrait.
    points: float32 [F, 68, 2] in pixels, of the frames to be generated.

  Raises:
    UserError: the person has no portrait.
  """
  check_portrait(person)
  (still,) = animate(person, np.asarray(person.points)[None])
  points = np.concatenate([person.points[None], points])
  portrait = shrink(person.portrait, MAX_SIDE)
  return Paste(portrait, still, points, own_pixels=person.in_portrait)
