"""Finding faces and their 68 points in images."""

import functools
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import cv2
import numpy as np

from flaxheads.landmarks import face_finder, gaze, layout
from flaxheads.landmarks.face_finder import Detection, Square, overlap
from flaxheads.landmarks.mesh_points import landmarks

DETECTOR = 'attention mesh'  # its name in reports
MAX_FACES = 32
MIN_SIZE = 24  # pixels; a smaller face has no detail to use
_SEARCH_SIDE = 1536  # pixels; larger images are searched at this size
_SMALL = 0.15  # of an image's side; such faces are looked for in tiles
_QUARTER = np.pi / 2
_TILTED = np.pi / 3  # a head that tilts less is upright in its image
# Turned faces score 0.9 once upright, 0.6 to 0.7 before; false ones <= 0.75.
_SURE = 0.8
_SURER = 0.18  # a turn has to be so much surer than the image as it is


class Face(NamedTuple):
  """A face in an image.

  Attributes:
    points: float32 [68, 2], (x, y) in pixels; see layout.py.
    box: (x0, y0, x1, y1), the points' bounding box.
    mesh: float32 [478, 3], see face_networks.Mesh; None: only the 68 are known.
  """

  points: np.ndarray
  box: tuple[float, float, float, float]
  mesh: np.ndarray | None = None

  @classmethod
  def from_points(cls, points: np.ndarray) -> 'Face':
    """A face of just its points, float [68, 2]."""
    points = np.asarray(points, np.float32)
    return cls(points, (*points.min(0).tolist(), *points.max(0).tolist()))

  @classmethod
  def from_mesh(cls, mesh: np.ndarray) -> 'Face':
    """A face from the points of its mesh, float32 [478, 3]."""
    return cls.from_points(landmarks(mesh))._replace(mesh=mesh)

  @property
  def size(self) -> float:
    """The longer side of the box in pixels."""
    return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

  @property
  def centre(self) -> np.ndarray:
    """Float64 [2], the middle of the box."""
    return np.reshape(self.box, (2, 2)).mean(0)

  @property
  def gaze(self) -> np.ndarray:
    """Float32 [2, 2], see landmarks/gaze.py; NaN without a mesh."""
    return gaze.UNKNOWN if self.mesh is None else gaze.measure(self.mesh)

  @property
  def quarter_turns(self) -> int:
    """How often np.rot90 must turn the image for the face to be upright."""
    eyes = list(layout.LEFT_EYE), list(layout.RIGHT_EYE)
    x, y = self.points[eyes[1]].mean(0) - self.points[eyes[0]].mean(0)
    angle = float(np.arctan2(y, x))
    return 0 if abs(angle) < _TILTED else round(angle / _QUARTER) % 4


def usual_turns(faces: Sequence[Face | None]) -> int:
  """The `quarter_turns` of most faces; 0 of none."""
  turns = [face.quarter_turns for face in faces if face is not None]
  return max(set(turns), key=turns.count) if turns else 0


class Detector(Protocol):
  """Finds faces in an image, in several, or one face again."""

  def __call__(self, image: np.ndarray) -> list[Face]:
    """The faces in uint8 [H, W, 3], the largest first, also if it is turned."""

  def many(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
    """The faces in each of several images that are upright."""

  def track(
    self, images: Sequence[np.ndarray], face: Face
  ) -> list[Face | None]:
    """A face of the image before these in each of them, or None."""


def find_faces(
  detector: Detector, images: Sequence[np.ndarray]
) -> list[list[Face]]:
  """The faces in each image, also of a detector that is just a function."""
  many = getattr(detector, 'many', None)
  return many(images) if many else [detector(image) for image in images]


def make_detector(often: bool = False) -> Detector:
  """The detector of real faces; see face_finder.py. It keeps no state.

  Args:
    often: whether single images are many, as the first frames of a thousand
      videos. Otherwise CPUs find faces in them by programs that compile in a
      fifth of the time and run for ten times as long.
  """
  return _Finder(few=not often)


class _Finder:
  """The full-range detector, then the mesh around each face.

  The mesh's own, short-range detector would miss small faces, and takes a
  dog's for a human one.
  """

  def __init__(self, few: bool):
    self._few = few

  def __call__(self, image: np.ndarray) -> list[Face]:
    if min(image.shape[:2]) < MIN_SIZE:
      return []
    search = functools.partial(face_finder.search, few=self._few)
    (upright,) = _locate([image], search)
    turned = _turn(image, upright, search)
    return self._faces([image], [turned], self._few)[0]

  def many(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
    seen = [i for i, im in enumerate(images) if min(im.shape[:2]) >= MIN_SIZE]
    faces = [[] for _ in images]
    located = _locate([images[i] for i in seen], face_finder.search)
    for i, found in zip(
      seen, self._faces([images[i] for i in seen], located), strict=True
    ):
      faces[i] = found
    return faces

  def _faces(self, images, located, few=False) -> list[list[Face]]:
    """The meshes of the detections of each image."""
    pairs = [(i, each) for i, found in enumerate(located) for each in found]
    meshes = face_finder.find_points(
      [images[i] for i, _ in pairs],
      [face_finder.region(each) for _, each in pairs],
      few,
    )
    faces = [[] for _ in images]
    for (i, detection), presence, points in zip(pairs, *meshes, strict=True):
      face = _from_mesh(presence, points)
      if face and overlap(face.box, _box(detection.square)) > 0.2:
        if all(overlap(face.box, other.box) < 0.4 for other in faces[i]):
          faces[i].append(face)
    return [sorted(each, key=lambda face: -face.size) for each in faces]

  def track(
    self, images: Sequence[np.ndarray], face: Face
  ) -> list[Face | None]:
    start = face_finder.around(face.mesh)
    meshes = face_finder.find_points(images, [start] * len(images))
    return [_from_mesh(*each) for each in zip(*meshes, strict=True)]


def _from_mesh(presence, mesh) -> Face | None:
  if presence < face_finder.MIN_PRESENCE:
    return None
  face = Face.from_mesh(mesh)
  return face if face.size >= MIN_SIZE else None


def _box(square: Square) -> tuple[float, float, float, float]:
  half = square.side / 2
  return square.x - half, square.y - half, square.x + half, square.y + half


def _locate(images: Sequence[np.ndarray], search) -> list[list[Detection]]:
  """The detections of each image, the surest first, each face once.

  Args:
    images: uint8 [H, W, 3] each.
    search: face_finder.search.
  """
  scales = [_search_scale(image) for image in images]
  images = [_shrink(*each) for each in zip(images, scales, strict=True)]
  wholes = [face_finder.whole(image) for image in images]
  found = search(images, wholes)

  def look(chosen, squares):
    """Adds what is found in further squares of some images."""
    places = [(i, square) for i in chosen for square in squares(i)]
    more = search(
      [images[i] for i, _ in places],
      [square for _, square in places],
      cv2.BORDER_REPLICATE,
    )
    for (i, _), detections in zip(places, more, strict=True):
      found[i] += detections

  def without():
    return [i for i, detections in enumerate(found) if not detections]

  # A close-up: the detector knows faces with some room around them.
  look(without(), lambda i: [_scaled(wholes[i], 2)])
  small = [
    i
    for i, whole in enumerate(wholes)
    if all(d.square.side < _SMALL * whole.side for d in found[i])
  ]
  look(small, lambda i: _tiles(images[i], 2))
  large = [i for i in without() if scales[i] > 1]
  look(large, lambda i: _tiles(images[i], 4))
  return [_distinct(*each) for each in zip(found, scales, strict=True)]


def _turn(image: np.ndarray, upright, search) -> list[Detection]:
  """The detections of an image, in the one of four turns that is surest.

  The detector also takes faces that hang for upright ones, but less surely.
  Small turned ones are not looked for: folds of cloth would be taken for faces.

  Args:
    image: uint8 [H, W, 3].
    upright: its Detections as it is.
    search: face_finder.search.
  """
  sure = max((each.score for each in upright), default=0.0)
  if sure >= _SURE:
    return upright
  scale = _search_scale(image)
  image = _shrink(image, scale)
  squares = [face_finder.whole(image, turns * _QUARTER) for turns in (1, 2, 3)]
  squares += [_scaled(square, 2) for square in squares]
  found = search([image] * 6, squares, cv2.BORDER_REPLICATE)
  smallest = _SMALL * squares[0].side
  found = [[d for d in each if d.square.side >= smallest] for each in found]
  by_turn = [found[i] + found[i + 3] for i in range(3)]
  best = max(by_turn, key=lambda each: max((d.score for d in each), default=0))
  least = max(sure + _SURER, _SURE)
  if max((d.score for d in best), default=0) < least:
    return upright
  return _distinct(best, scale)


def _search_scale(image) -> float:
  return max(1.0, max(image.shape[:2]) / _SEARCH_SIDE)


def _shrink(image, scale):
  if scale <= 1:
    return image
  size = [round(n / scale) for n in image.shape[1::-1]]
  return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _scaled(square: Square, factor: float) -> Square:
  return square._replace(side=factor * square.side)


def _tiles(image, count) -> list[Square]:
  """Squares that overlap by half, `count` of them along the longer side."""
  height, width = image.shape[:2]
  side = max(height, width) / count
  steps = np.arange(0.5, count, 0.5) / count
  return [Square(x * width, y * height, side) for x in steps for y in steps]


def _lies(detection: Detection) -> bool:
  return abs(np.sin(detection.square.angle)) > np.sin(_QUARTER / 2)


def _distinct(detections, scale) -> list[Detection]:
  """Each face once; one that lies has to be sure, for letters are not."""
  kept = []
  for each in sorted(detections, key=lambda each: -each.score):
    if each.score < _SURE and _lies(each):
      continue
    box = _box(each.square)
    if all(overlap(box, _box(other.square)) < 0.3 for other in kept):
      kept.append(each)
  return [
    Detection(score, Square(*(scale * n for n in square[:3]), square.angle))
    for score, square in kept[:MAX_FACES]
  ]
