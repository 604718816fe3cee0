"""Finds faces with the networks of face_networks.py, many images at a time.

Follows MediaPipe's graphs (0.10.21): what is cut out of an image, how the
detector's overlapping boxes are merged, and which crop the mesh network gets.
Beyond that, windows and tiles find faces that fill an image or are small in it,
four rotations find faces that lie or hang, and the mesh is computed until its
crop no longer moves.
"""

import concurrent.futures
import functools
import os
import threading
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import jax
import numpy as np

from flaxheads.landmarks import face_networks
from flaxheads.landmarks.face_networks import INPUT_SIZE
from flaxheads.quick_jit import cpu_options

BATCH_SIZE = 8  # images that are worth collecting
MIN_PRESENCE = 0.5  # of the mesh, as in MediaPipe
_MIN_SCORE = 0.6  # of the detector, as in MediaPipe's full-range graph
_MERGED_OVERLAP = 0.3
_ROOM = 1.5  # the mesh sees a square so much larger than the face
_MIN_PASSES, _MAX_PASSES = 2, 4
_AT_REST = 0.05  # of a square's side; a larger move asks for another pass
_EYE_CORNERS = 33, 263  # of the mesh
_locks = {name: threading.Lock() for name in ('detector', 'mesh')}
_warm: set[str] = set()  # networks that are compiled for many images


class Square(NamedTuple):
  """A square of an image: its centre and side in pixels.

  `angle` turns it, in radians, clockwise as seen.
  """

  x: float
  y: float
  side: float
  angle: float = 0.0

  def place(self, uv: np.ndarray) -> np.ndarray:
    """Pixels of the image for uv [..., 2], from 0 to 1 in the square."""
    u, v = np.moveaxis((np.asarray(uv) - 0.5) * self.side, -1, 0)
    cos, sin = np.cos(self.angle), np.sin(self.angle)
    return np.stack(
      [self.x + cos * u - sin * v, self.y + sin * u + cos * v], -1
    )


class Detection(NamedTuple):
  """A face found by the detector: its upright square, turned as its eyes."""

  score: float
  square: Square


def whole(image: np.ndarray, angle: float = 0.0) -> Square:
  """The square that holds an image."""
  height, width = image.shape[:2]
  return Square(width / 2, height / 2, max(height, width), angle)


def cut(image: np.ndarray, square: Square, border: int) -> np.ndarray:
  """Samples a square, bilinearly and without half-pixel offset, as MediaPipe.

  Args:
    image: uint8 [H, W, 3].
    square: Square.
    border: cv2.BORDER_CONSTANT (black) or cv2.BORDER_REPLICATE, outside.

  Returns:
    uint8 [192, 192, 3].
  """
  step = square.side / INPUT_SIZE
  x, y = square.place((0, 0))
  cos, sin = step * np.cos(square.angle), step * np.sin(square.angle)
  return cv2.warpAffine(
    image,
    np.array([[cos, -sin, x], [sin, cos, y]]),
    (INPUT_SIZE, INPUT_SIZE),
    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    borderMode=border,
  )


def overlap(a, b) -> float | np.ndarray:
  """Intersection over union of boxes (x0, y0, x1, y1), [..., 4] each."""
  a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
  sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(
    a[..., :2], b[..., :2]
  )
  both = np.maximum(sides, 0).prod(-1)
  areas = [(c[..., 2:] - c[..., :2]).prod(-1) for c in (a, b)]
  return both / np.maximum(areas[0] + areas[1] - both, 1e-12)


def merge(scores, boxes, keypoints) -> list[tuple]:
  """Weighted non-maximum suppression, as BlazeFace's.

  Args:
    scores: float [A].
    boxes: float [A, 4], (x0, y0, x1, y1).
    keypoints: float [A, 6, 2].

  Returns:
    (score, box [4], keypoints [6, 2]) of each face, the surest first; places
    are means of overlapping ones, weighted by their scores.
  """
  sure = (scores >= _MIN_SCORE) & (boxes[:, 2:] >= boxes[:, :2]).all(1)
  order = np.flatnonzero(sure)[np.argsort(-scores[sure], kind='stable')]
  merged = []
  while len(order):
    near = overlap(boxes[order], boxes[order[0]]) > _MERGED_OVERLAP
    near[0] = True  # also a box of no area
    group = order[near]
    weights = scores[group] / scores[group].sum()
    place = [
      np.tensordot(weights, each[group], 1) for each in (boxes, keypoints)
    ]
    merged.append((float(scores[order[0]]), *place))
    order = order[~near]
  return merged


def around(points: np.ndarray) -> Square:
  """Where the mesh looks for a face next, from its points [478, 2 or 3]."""
  low, high = points[:, :2].min(0), points[:, :2].max(0)
  right, left = (points[corner, :2] for corner in _EYE_CORNERS)
  centre = (low + high) / 2
  return Square(*centre, _ROOM * (high - low).max(), _angle(left - right))


class _Program(NamedTuple):
  """A compiled network, its parameters, and how many images it takes."""

  network: jax.stages.Compiled
  params: dict
  batch_size: int


@functools.cache
def _program(name: str, few: bool) -> _Program:
  """The network for calls with few images, or with many."""
  on_cpu = jax.default_backend() == 'cpu'
  # On CPUs a batch costs as much as its images one by one.
  size = 1 if on_cpu else BATCH_SIZE
  network = {'detector': face_networks.detect, 'mesh': face_networks.mesh}[name]
  params = face_networks.load_params()[name]
  if few:
    params = face_networks.quickly_compiled(params)
  params = jax.device_put(params)
  images = jax.ShapeDtypeStruct((size, INPUT_SIZE, INPUT_SIZE, 3), np.uint8)
  options = cpu_options('once' if few else 'some')
  compiled = (
    jax.jit(network).lower(params, images).compile(compiler_options=options)
  )
  return _Program(compiled, params, size)


@functools.cache
def _pool():
  return concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1))


def _run(name: str, crops: Sequence[np.ndarray], few: bool = False):
  """The network's outputs for crops, at least one, as NumPy arrays."""
  few = few and len(crops) <= BATCH_SIZE and jax.default_backend() == 'cpu'
  few = few and name not in _warm
  with _locks[name]:  # no thread compiles what another compiles already
    network, params, size = _program(name, few)

  def run(start):
    batch = list(crops[start : start + size])
    batch += [batch[-1]] * (size - len(batch))
    return jax.device_get(network(params, np.stack(batch)))

  # Side by side: one small image does not keep all cores of a CPU busy.
  outputs = _pool().map(run, range(0, len(crops), size))
  parts = zip(*outputs, strict=True)
  return [np.concatenate(part)[: len(crops)] for part in parts]


def warm_up(*names: str) -> None:
  """Compiles networks for many images, if that was not done yet.

  From then on they serve few images, too: one program less to compile.

  Args:
    *names: 'detector', 'mesh'; none: both.
  """
  for name in names or tuple(_locks):
    _warm.add(name)
    with _locks[name]:
      _program(name, few=False)


def search(
  images: Sequence[np.ndarray],
  squares: Sequence[Square],
  border: int = cv2.BORDER_CONSTANT,
  few: bool = False,
) -> list[list[Detection]]:
  """Looks for faces in a square of each image.

  Args:
    images: uint8 [H, W, 3] each.
    squares: one for each image.
    border: of `cut`.
    few: whether few images follow: then CPUs compile in 1 s instead of 5, and
      take ten times as long for each.

  Returns:
    For each image the faces in pixels of it, the surest first.
  """
  if not images:
    return []
  pairs = list(zip(images, squares, strict=True))
  found = _run('detector', [cut(*pair, border) for pair in pairs], few)
  return [
    [_place(square, *face) for face in merge(*each)]
    for square, each in zip(squares, zip(*found, strict=True), strict=True)
  ]


def _place(square, score, box, keypoints) -> Detection:
  x, y = square.place((box[:2] + box[2:]) / 2)
  side = (box[2:] - box[:2]).max() * square.side
  angle = square.angle + _angle(keypoints[1] - keypoints[0])
  return Detection(score, Square(float(x), float(y), float(side), angle))


def _angle(step) -> float:
  return float(np.arctan2(step[1], step[0]))


def find_points(
  images: Sequence[np.ndarray], squares: Sequence[Square], few: bool = False
) -> tuple[np.ndarray, np.ndarray]:
  """Finds the mesh of the face in a square of each image.

  The mesh looks at least twice, the second time in the square around the
  points that it found: its points then hardly depend on the first square. On
  stills they are three times closer to where they come to rest than after one.

  Args:
    images: uint8 [H, W, 3] each.
    squares: one for each image; of a face that was detected `_ROOM` times as
      large as its own, see `region`.
    few: as of `search`.

  Returns:
    (presence float [N], points float32 [N, 478, 3] in pixels of the images).
  """
  squares, left = list(squares), list(range(len(images)))
  presence = np.zeros(len(images), np.float32)
  points = np.zeros((len(images), face_networks.NUM_POINTS, 3), np.float32)
  for step in range(_MAX_PASSES):
    if not left:
      break
    crops = [cut(images[i], squares[i], cv2.BORDER_REPLICATE) for i in left]
    presence[left], found = _run('mesh', crops, few)
    moving = []
    for i, each in zip(left, found / INPUT_SIZE, strict=True):
      points[i, :, :2] = squares[i].place(each[:, :2])
      points[i, :, 2] = each[:, 2] * squares[i].side
      before, squares[i] = squares[i], around(points[i])
      if step + 1 < _MIN_PASSES or _moved(before, squares[i]):
        moving.append(i)
    left = [i for i in moving if presence[i] >= MIN_PRESENCE]
  return presence, points


def _moved(before: Square, after: Square) -> bool:
  steps = (after.x - before.x, after.y - before.y, after.side - before.side)
  return max(map(abs, steps)) > _AT_REST * before.side


def region(detection: Detection) -> Square:
  """Where the mesh looks for a detected face."""
  return detection.square._replace(side=_ROOM * detection.square.side)
