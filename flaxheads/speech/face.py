"""Mouth, lids and brows on the linear face model of landmarks/face_shape.py."""

from typing import NamedTuple

import numpy as np

from flaxheads.landmarks import face_shape, layout, limits
from flaxheads.landmarks.face_shape import Motion
from flaxheads.landmarks.relative_motion import mouth_width, rest_frames

# What 1 of each of visemes.CONTROLS is on a face of average size, cm: of the
# gap between the lips, of the mouth's width, of the chin. A mouth narrows more
# for an /u/ than it widens for an /i/.
_OPENING, _JAW = 1.8, 1.3
_SPREAD, _ROUNDED = 0.45, 0.9
_BROWS = 0.5  # cm, of raised brows
_SHUT_LIDS = 0.92  # of an open eye
_RIDGE = 0.06  # cm for a standard deviation of expression
_UPPER_LIP = 0.35  # of a gap that the jaw does not explain
_ABOVE = 4  # measurements of lids and brows come after those of the mouth
_CLOSED_PERCENT = 3  # of the frames of a clip
_MOUTH = list(layout.OUTER_LIPS + layout.INNER_LIPS)
_UPPER = [49, 50, 51, 52, 53, 61, 62, 63]
_LOWER = [55, 56, 57, 58, 59, 65, 66, 67]


class Gestures(NamedTuple):
  """What a face does in F frames.

  Attributes:
    mouth: [F, 3], visemes.CONTROLS.
    lids: [F], 0: open, 1: shut.
    brows: [F], 0: at rest, 1: raised.
  """

  mouth: np.ndarray
  lids: np.ndarray
  brows: np.ndarray


def _measure(shape):
  """Gap, width, chin, mouth's corners, lids and brows: [..., 8], cm."""
  x, y = shape[..., 0], shape[..., 1]

  def mean(points):
    return y[..., points].mean(-1)

  return np.stack(
    [
      mean([61, 62, 63]) - mean([65, 66, 67]),
      x[..., 54] - x[..., 48],
      -y[..., 8],
      mean([48, 54]),
      mean([37, 38]) - mean([40, 41]),
      mean([43, 44]) - mean([46, 47]),
      mean(range(17, 22)),
      mean(range(22, 27)),
    ],
    -1,
  )


def _inverse(wanted):
  """The likeliest expressions of measurements: [F, 8] to [F, K]."""
  rows = _measure(face_shape.statistics().expression)  # [K, 8]
  square = rows @ rows.T + _RIDGE**2 * np.eye(len(rows))
  return np.linalg.solve(square, rows @ wanted.T).T


def _wanted(gestures: Gestures) -> np.ndarray:
  """Measurements [F, 8] since the rest, of a face of average size."""
  opening, width, jaw = gestures.mouth.T.astype(np.float64)
  width = np.where(width > 0, _SPREAD, _ROUNDED) * width
  rest = _measure(face_shape.statistics().mean)
  lids = -_SHUT_LIDS * gestures.lids
  brows = _BROWS * gestures.brows
  still = np.zeros_like(width)
  return np.stack(
    [
      _OPENING * np.maximum(opening, 0),
      width,
      _JAW * jaw,
      still,
      lids * rest[4],
      lids * rest[5],
      brows,
      brows,
    ],
    -1,
  )


def controls_of(points: np.ndarray) -> np.ndarray:
  """The mouth that a clip shows, the inverse of `speak_with`.

  Args:
    points: float [F, 68, 2], pixels, of one face.

  Returns:
    float32 [F, 3], visemes.CONTROLS, clear of pose and size; lips as close as
    in the clip's most closed frames are closed.
  """
  rest = face_shape.fit_shape(points)
  motion = face_shape.fit_motion(points, rest)
  size = mouth_width(rest) / mouth_width(face_shape.statistics().mean)
  gap, width, chin = _measure(rest + motion.offsets()).T[:3] / size
  width -= np.median(width)
  units = np.where(width > 0, _SPREAD, _ROUNDED)
  closed, high = (np.percentile(v, _CLOSED_PERCENT) for v in (gap, chin))
  opening = np.maximum(gap - closed, 0) / _OPENING
  jaw = np.maximum(chin - high, 0) / _JAW
  return np.stack([opening, width / units, jaw], -1).astype(np.float32)


def _part_lips(offsets, gap):
  """Moves the lips such that their gap changes by `gap`, cm: [F]."""
  missing = gap - _measure(offsets)[:, 0]
  offsets[:, _UPPER, 1] += _UPPER_LIP * missing[:, None]
  lower = (1 - _UPPER_LIP) * missing[:, None]
  offsets[:, _LOWER, 1] -= limits.WITH_JAW[_LOWER] * lower
  return offsets


def _offsets(wanted):
  """The likeliest offsets [F, 68, 3], cm, of measurements."""
  basis = face_shape.statistics().expression
  offsets = np.einsum('fk,kpc->fpc', _inverse(wanted), basis)
  return _part_lips(offsets, wanted[:, 0])


def points_of(gestures: Gestures, motion: Motion) -> np.ndarray:
  """The points of the average face.

  Args:
    gestures: of F frames.
    motion: pose, scale and shift of F frames; its expression is not used.

  Returns:
    float64 [F, 68, 2], pixels.
  """
  shape = face_shape.statistics().mean + _offsets(_wanted(gestures))
  seen = face_shape.project(shape, motion) + motion.shift[:, None]
  return seen * (1, -1)


def speak_with(
  points: np.ndarray, order: np.ndarray, mouth: np.ndarray
) -> np.ndarray:
  """Gives a moving face another mouth; pose, lids and brows stay.

  Args:
    points: float [N, 68, 2], pixels, of a clip.
    order: int [F], the clip's frames in the order in which they are played.
    mouth: [F, 3], visemes.CONTROLS.

  Returns:
    float64 [F, 68, 2], pixels.
  """
  rest = face_shape.fit_shape(points)
  motion = face_shape.fit_motion(points, rest)
  quiet = rest_frames(motion)
  # What the model does not know; of the mouth only what it is at rest.
  unknown = np.asarray(points, np.float64) * (1, -1)
  unknown -= face_shape.project(rest + motion.offsets(), motion)
  unknown = (unknown - motion.shift[:, None]) / motion.scale[:, None, None]
  unknown[:, _MOUTH] = unknown[quiet][:, _MOUTH].mean(0)
  motion = Motion(*(field[order] for field in motion))
  none = np.zeros(len(mouth))
  size = mouth_width(rest) / mouth_width(face_shape.statistics().mean)
  wanted = size * _wanted(Gestures(mouth, none, none))
  wanted[:, _ABOVE:] = _measure(motion.offsets())[:, _ABOVE:]
  seen = face_shape.project(rest + _offsets(wanted), motion)
  seen += motion.scale[:, None, None] * unknown[order] + motion.shift[:, None]
  return seen * (1, -1)
