"""The shape of a face in space and how it moves, from its 68 points alone.

A linear model, x = mean + identity + expression, as in Blanz and Vetter 1999,
of the 68 points of synthetic heads (tests/reproduce/face_shape.py), not of
scans. Lengths are centimetres; x to the image's right, y up, z ahead. What the
model cannot represent goes into free offsets.
"""

import functools
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxheads.landmarks import layout

# Camera to head, cm: a portrait's usual distance. Faces taken from elsewhere
# come out a little flatter or deeper, source and driver alike.
DISTANCE = 90.0
# Standard deviations that weigh model against points. Chosen on synthetic
# heads, and by how well one half of a real clip knows the other half again.
_NOISE = 0.15  # cm, of points
_FREE = 0.03  # cm, of a face's points beyond the model
_IDENTITY = 1.3  # times those of synthetic people
_EXPRESSION = 1.5
_LOOSE = 30.0  # cm, of the head's place
_MAX_EXPRESSION = 6.0  # standard deviations
_FITTING_ROUNDS = 10
_TRACKING_ROUNDS = 6
_POSE_STEPS = 3
_FITTED_FRAMES = 32
_TRACKED_AT_ONCE = 512


class Statistics(NamedTuple):
  """Of the points of many people, float64, cm.

  Attributes:
    mean: [68, 3], the average face, at rest.
    identity: [I, 68, 3], a standard deviation in each direction that faces
      differ in.
    expression: [K, 68, 3], the same of how they move.
  """

  mean: np.ndarray
  identity: np.ndarray
  expression: np.ndarray


class Motion(NamedTuple):
  """What a face does in F frames; pixels, but y up.

  Attributes:
    rotation: [F, 3, 3], head to camera.
    scale: [F], pixels for a centimetre.
    shift: [F, 2], where the head's origin lies, pixels.
    expression: [F, K], in standard deviations.
  """

  rotation: np.ndarray
  scale: np.ndarray
  shift: np.ndarray
  expression: np.ndarray

  def offsets(self) -> np.ndarray:
    """How the expressions move the points: [F, 68, 3], cm."""
    return np.einsum('fk,kpc->fpc', self.expression, statistics().expression)


@functools.cache
def statistics() -> Statistics:
  """Reads what lies beside this module."""
  text = Path(__file__).with_suffix('.json').read_text(encoding='utf-8')
  return Statistics(
    **{name: np.array(rows, float) for name, rows in json.loads(text).items()}
  )


@functools.cache
def _identity_precision() -> np.ndarray:
  """The inverse covariance of a face's 68 points, [204, 204]."""
  basis = _IDENTITY * statistics().identity.reshape(-1, 3 * layout.NUM_POINTS)
  return np.linalg.inv(basis.T @ basis + _FREE**2 * np.eye(basis.shape[1]))


def project(shape: np.ndarray, motion: Motion) -> np.ndarray:
  """Projects points of a head, without the motion's shift.

  Args:
    shape: [P, 3] or [F, P, 3], cm.
    motion: of F frames.

  Returns:
    float64 [F, P, 2], pixels, y up.
  """
  return motion.scale[:, None, None] * _picture(_turn(shape, motion.rotation))


def depth(shape: np.ndarray, motion: Motion) -> np.ndarray:
  """Depth of points, cm; larger is nearer to the camera.

  Args:
    shape: [P, 3] or [F, P, 3], cm.
    motion: of F frames.

  Returns:
    float64 [F, P].
  """
  return _turn(shape, motion.rotation)[..., 2]


def _turn(shape, rotation):
  return shape @ np.swapaxes(rotation, -1, -2)  # [F, 68, 3]


def _nearness(turned):
  """How much larger than the head's origin each point appears: [F, 68]."""
  return 1 / (1 - np.minimum(turned[..., 2] / DISTANCE, 0.5))


def _picture(turned):
  return turned[..., :2] * _nearness(turned)[..., None]


def _first_pose(points, shape):
  """Rotation and scale of scaled orthography, as in landmarks/pose.py."""
  centred = points - points.mean(1, keepdims=True)
  inverse = np.linalg.pinv(shape - shape.mean(0))  # [3, 68]
  camera = np.swapaxes(inverse @ centred, 1, 2)  # [F, 2, 3]
  left, size, right = np.linalg.svd(camera, full_matrices=False)
  rows = left @ right
  ahead = np.cross(rows[:, 0], rows[:, 1])[:, None]
  return np.concatenate([rows, ahead], 1), np.maximum(size.mean(1), 1e-6)


def _refine_pose(points, shape, rotation, scale):
  """Gauss-Newton steps for rotation and scale; the shift is eliminated."""
  for _ in range(_POSE_STEPS):
    turned = _turn(shape, rotation)
    near, seen = _nearness(turned), _picture(turned)
    x, y, z = np.moveaxis(turned, -1, 0)
    none = np.zeros_like(x)
    # d(turned) = w x turned for a small turn w; nearness changes with z.
    closer = np.stack([y, -x, none], -1) * (near**2 / DISTANCE)[..., None]
    across = np.stack([none, z, -y], -1) * near[..., None]
    upward = np.stack([-z, none, x], -1) * near[..., None]
    jacobian = np.stack(
      [across + x[..., None] * closer, upward + y[..., None] * closer], 2
    )  # [F, 68, 2, 3]
    jacobian = np.concatenate([jacobian, seen[..., None]], -1)
    jacobian = jacobian - jacobian.mean(1, keepdims=True)
    apart = points / scale[:, None, None] - seen
    apart = (apart - apart.mean(1, keepdims=True)).reshape(len(points), -1)
    jacobian = jacobian.reshape(*apart.shape, 4)
    step = _solve(jacobian, apart, 1e-6)
    step /= np.maximum(1, np.abs(step).max(1, keepdims=True) / 0.5)
    rotation = _rotations(step[:, :3]) @ rotation
    scale = scale * np.exp(step[:, 3])
  return rotation, scale


def _solve(matrix, target, ridge):
  """Least squares of each frame: [F, M, N], [F, M] to [F, N]."""
  square = np.swapaxes(matrix, 1, 2) @ matrix
  square = square + ridge * np.eye(square.shape[-1])
  right = np.einsum('fmn,fm->fn', matrix, target)
  return np.linalg.solve(square, right[..., None])[..., 0]


def _rotations(turns):
  """Rodrigues' formula: [F, 3] to [F, 3, 3]."""
  x, y, z = turns.T
  none = np.zeros_like(x)
  cross = np.stack([none, -z, y, z, none, -x, -y, x, none], -1)
  cross = cross.reshape(-1, 3, 3)
  angle = np.linalg.norm(turns, axis=1)[:, None, None]
  half = np.sinc(angle / 2 / np.pi)
  return (
    np.eye(3) + np.sinc(angle / np.pi) * cross + half**2 / 2 * cross @ cross
  )


def _linearise(points, shape, rotation, scale):
  """The points in cm, and the matrices that shapes are multiplied with.

  Returns:
    The shift [F, 2] in pixels, y [F, 68, 2] and A [F, 68, 2, 3] such that
    y = A x for points x of a face.
  """
  turned = _turn(shape, rotation)
  size = scale[:, None, None]
  shift = (points - size * _picture(turned)).mean(1)
  matrices = _nearness(turned)[..., None, None] * rotation[:, None, :2]
  return shift, (points - shift[:, None]) / size, matrices


def _fit_expression(seen, matrices, shape):
  """Standard deviations [F, K] of each frame, given the face at rest."""
  apart = seen - np.einsum('fpij,pj->fpi', matrices, shape)
  moves = np.einsum('fpij,kpj->fpik', matrices, statistics().expression)
  flat = moves.reshape(len(seen), -1, moves.shape[-1])
  found = _solve(
    flat, apart.reshape(len(seen), -1), (_NOISE / _EXPRESSION) ** 2
  )
  return np.clip(found, -_MAX_EXPRESSION, _MAX_EXPRESSION)


def _fit_rest(seen, matrices):
  """The face at rest, [68, 3]: what is likeliest whatever it expresses.

  Expressions and places of the head are Gaussian, so that they only widen the
  noise of a frame, by a few directions (Woodbury's identity).
  """
  frames, mean = len(seen), statistics().mean
  moves = np.einsum('fpij,kpj->fpik', matrices, statistics().expression)
  places = np.broadcast_to(
    _LOOSE * np.eye(2), (frames, layout.NUM_POINTS, 2, 2)
  )
  wide = np.concatenate([_EXPRESSION * moves, places], -1) / _NOISE
  inner = np.eye(wide.shape[-1]) + np.einsum('fpik,fpil->fkl', wide, wide)
  inner = np.linalg.inv(inner)
  apart = seen - np.einsum('fpij,pj->fpi', matrices, mean)
  crossed = np.einsum('fpij,fpik->fpjk', matrices, wide)
  crossed = crossed.reshape(frames, mean.size, -1)  # [F, 204, K + 2]
  precision = -np.einsum(
    'fak,fkl,fbl->ab', crossed, inner, crossed, optimize=True
  )
  blocks = np.einsum('fpij,fpik->pjk', matrices, matrices)
  for p, block in enumerate(blocks):
    precision[3 * p : 3 * p + 3, 3 * p : 3 * p + 3] += block
  widened = np.einsum('fpik,fpi->fk', wide, apart)
  right = np.einsum('fpij,fpi->pj', matrices, apart).ravel() - np.einsum(
    'fak,fkl,fl->a', crossed, inner, widened, optimize=True
  )
  precision = _identity_precision() + precision / _NOISE**2
  offsets = np.linalg.solve(precision, right / _NOISE**2)
  return mean + offsets.reshape(mean.shape)


def _check(points):
  points = np.asarray(points, np.float64)
  if points.ndim != 3 or points.shape[1:] != (layout.NUM_POINTS, 2):
    raise ValueError(f'points: shape {points.shape} is not [F, 68, 2]')
  if not len(points) or not np.isfinite(points).all():
    raise ValueError('points must be finite and of at least one frame')
  return points * (1, -1)


def fit_shape(points: np.ndarray) -> np.ndarray:
  """The face of one person at rest, from frames in any pose and expression.

  Args:
    points: float [F, 68, 2] in pixels; of many frames 32 are looked at.

  Returns:
    float64 [68, 3], cm. Its size is what suits such a face: an image does
    not tell a large head from a near one.

  Raises:
    ValueError: another shape, no frame, or numbers that are not finite.
  """
  points = _check(points)
  count = min(len(points), _FITTED_FRAMES)
  points = points[np.linspace(0, len(points) - 1, count).round().astype(int)]
  rest = statistics().mean
  shape = np.broadcast_to(rest, (count, *rest.shape))
  rotation, scale = _first_pose(points, rest)
  for _ in range(_FITTING_ROUNDS):
    rotation, scale = _refine_pose(points, shape, rotation, scale)
    _, seen, matrices = _linearise(points, shape, rotation, scale)
    rest = _fit_rest(seen, matrices)
    expression = _fit_expression(seen, matrices, rest)
    offsets = Motion(rotation, scale, None, expression).offsets()
    shape = rest + offsets
  return rest


def fit_motion(points: np.ndarray, rest: np.ndarray) -> Motion:
  """What a face does in every frame, given how it is at rest.

  Args:
    points: float [F, 68, 2] in pixels.
    rest: [68, 3], of `fit_shape`.

  Raises:
    ValueError: as `fit_shape`.
  """
  points = _check(points)
  parts = [
    _track(points[first : first + _TRACKED_AT_ONCE], rest)
    for first in range(0, len(points), _TRACKED_AT_ONCE)
  ]
  return Motion(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def _track(points, rest):
  shape = np.broadcast_to(rest, (len(points), *rest.shape))
  rotation, scale = _first_pose(points, rest)
  for _ in range(_TRACKING_ROUNDS):
    rotation, scale = _refine_pose(points, shape, rotation, scale)
    shift, seen, matrices = _linearise(points, shape, rotation, scale)
    motion = Motion(
      rotation, scale, shift, _fit_expression(seen, matrices, rest)
    )
    shape = rest + motion.offsets()
  return motion
