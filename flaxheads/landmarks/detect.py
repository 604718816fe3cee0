"""Finding faces and their 68 points in a picture.

A detector is any callable from a picture to a list of faces. Two come with
the package, each imported when asked for: MediaPipe, which bundles its models
and runs in milliseconds on a CPU, and face-alignment (Bulat and Tzimiropoulos
2017), the detector of Zakharov et al. 2019, which downloads its own.
"""

import contextlib
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from flaxheads.errors import UserError, check_choice
from flaxheads.landmarks.crop import window
from flaxheads.landmarks.quiet import quiet

DETECTORS = ('mediapipe', 'face_alignment')
MAX_FACES = 32
MIN_SIZE = 24  # pixels; what looks like a smaller face has no detail to use
_LOCATE_SIDE = 1536  # pixels; larger pictures are shrunk to look for faces

# Points of MediaPipe's 468-point face mesh in the order of layout.py.
_MESH_TO_68 = np.array(
  # jaw
  [162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323]
  + [454, 389]
  # brows
  + [71, 63, 105, 66, 107, 336, 296, 334, 293, 301]
  # nose
  + [168, 197, 5, 4, 75, 97, 2, 326, 305]
  # eyes
  + [33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380]
  # mouth
  + [61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181]
  + [78, 82, 13, 312, 308, 317, 14, 87]
)
_INSTALL = {
  'mediapipe': 'pip install --no-deps mediapipe==0.10.21 && pip install'
  ' attrs flatbuffers matplotlib opencv-python-headless',
  'face_alignment': 'pip install face-alignment',
}


class Face(NamedTuple):
  """A face in a picture.

  points: float32 [68, 2], (x, y) in pixels; see layout.py.
  box: (x0, y0, x1, y1), the points' bounding box.
  """

  points: np.ndarray
  box: tuple[float, float, float, float]

  @classmethod
  def from_points(cls, points: np.ndarray) -> 'Face':
    points = np.asarray(points, np.float32)
    box = (*points.min(0).tolist(), *points.max(0).tolist())
    return cls(points, box)

  @property
  def size(self) -> float:
    """The longer side of the box in pixels."""
    return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

  @property
  def centre(self) -> np.ndarray:
    """Float64 [2], the middle of the box."""
    return np.array(
      [(self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2]
    )


class Detector(Protocol):
  """Finds faces in uint8 [H, W, 3], the largest first."""

  def __call__(self, image: np.ndarray) -> list[Face]: ...


def make_detector(name: str = 'mediapipe', tracking: bool = False) -> Detector:
  """Makes a detector.

  Args:
    name: 'mediapipe' or 'face_alignment'.
    tracking: for the frames of one video in order: return just the largest
      face and follow it, which is faster and calmer (MediaPipe only).

  Returns:
    The detector. Not to be shared between threads.

  Raises:
    UserError: an unknown name, or the package is not installed.
  """
  check_choice('detector', name, DETECTORS)
  try:
    if name == 'face_alignment':
      return _FaceAlignment()
    return _Tracking() if tracking else _MediaPipe()
  except ImportError as error:
    raise UserError(
      f'detector: {name} is not installed; run: {_INSTALL[name]}'
    ) from error


def overlap(a, b) -> float:
  """Intersection over union of two boxes (x0, y0, x1, y1)."""
  width = min(a[2], b[2]) - max(a[0], b[0])
  height = min(a[3], b[3]) - max(a[1], b[1])
  if width <= 0 or height <= 0:
    return 0.0
  union = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
  return width * height / (union - width * height)


class _MediaPipe:
  """Full-range face detection, then the mesh in a window around each face.

  The mesh alone runs a short-range detector on the whole picture: it misses
  faces much smaller than the picture and takes a dog's for a human one.
  """

  def __init__(self):
    with quiet():
      from mediapipe.python.solutions import face_detection, face_mesh

      self._locator = face_detection.FaceDetection(
        model_selection=1, min_detection_confidence=0.5
      )
      self._mesh = face_mesh.FaceMesh(
        static_image_mode=True, max_num_faces=4, refine_landmarks=True
      )
      self._warm_up()
    self._started = False

  def _warm_up(self):
    # The graphs start, and say so, with the first picture.
    blank = np.zeros((64, 64, 3), np.uint8)
    self._locator.process(blank)
    self._mesh.process(blank)

  def __call__(self, image: np.ndarray) -> list[Face]:
    if min(image.shape[:2]) < MIN_SIZE:
      return []  # MediaPipe fails for good on a picture of no area
    # The models are loaded at the first face, with messages of their own.
    with contextlib.nullcontext() if self._started else quiet():
      faces = []
      for box in self._locate(image):
        face = self._landmarks(image, box)
        if face is None or face.size < MIN_SIZE:
          continue
        if all(overlap(face.box, f.box) < 0.4 for f in faces):
          faces.append(face)
    self._started = self._started or bool(faces)
    return sorted(faces, key=lambda face: -face.size)

  def _locate(self, image: np.ndarray) -> list[tuple]:
    """Boxes of faces, the surest first."""
    scale = max(1.0, max(image.shape[:2]) / _LOCATE_SIDE)
    height, width = (round(n / scale) for n in image.shape[:2])
    if scale > 1:  # the model sees 192 pixels: shrink once, without aliasing
      image = np.asarray(
        Image.fromarray(image).resize((width, height), Image.Resampling.BOX)
      )
    found = self._locate_in(image, 0, 0, width, height)
    if not found:
      # A close-up: the model knows faces with some room around them.
      x, y = width // 2, height // 2
      found = self._locate_in(image, -x, -y, width + x, height + y)
    if all(box[3] - box[1] < 0.15 * max(height, width) for _, box in found):
      found += self._locate_in_tiles(image, 2)
      if not found and scale > 1:
        found += self._locate_in_tiles(image, 4)
    found.sort(key=lambda scored: -scored[0])
    boxes = []
    for _, box in found:
      if all(overlap(box, other) < 0.3 for other in boxes):
        boxes.append(box)
    return [tuple(scale * n for n in box) for box in boxes[:MAX_FACES]]

  def _locate_in_tiles(self, image: np.ndarray, tiles: int) -> list[tuple]:
    """Looks for small faces in tiles that overlap by half."""
    height, width = image.shape[:2]
    steps = [step / tiles for step in np.arange(0, tiles - 0.5, 0.5)]
    found = []
    for x0, y0 in (
      (int(x * width), int(y * height)) for x in steps for y in steps
    ):
      x1, y1 = x0 + width // tiles, y0 + height // tiles
      found += self._locate_in(image, x0, y0, x1, y1)
    return found

  def _locate_in(self, image, x0, y0, x1, y1) -> list[tuple]:
    """(score, box) of the faces within a window of the picture."""
    result = self._locator.process(
      np.ascontiguousarray(window(image, x0, y0, x1, y1))
    )
    found = []
    for detection in result.detections or ():
      box = detection.location_data.relative_bounding_box
      left, top = x0 + box.xmin * (x1 - x0), y0 + box.ymin * (y1 - y0)
      right = left + box.width * (x1 - x0)
      bottom = top + box.height * (y1 - y0)
      found.append((detection.score[0], (left, top, right, bottom)))
    return found

  def _landmarks(self, image: np.ndarray, box: tuple) -> Face | None:
    """The mesh in a window twice as wide as the box."""
    corners = _window_corners(box)
    result = self._mesh.process(np.ascontiguousarray(window(image, *corners)))
    faces = [
      _from_mesh(mesh, corners) for mesh in result.multi_face_landmarks or ()
    ]
    face = max(faces, key=lambda f: overlap(f.box, box), default=None)
    return face if face and overlap(face.box, box) > 0.2 else None


class _Tracking:
  """Follows the largest face with the mesh alone in a window that rests."""

  def __init__(self):
    self._detect = _MediaPipe()
    with quiet():
      from mediapipe.python.solutions import face_mesh

      self._mesh = face_mesh.FaceMesh(
        static_image_mode=False, max_num_faces=1, refine_landmarks=True
      )
      self._mesh.process(np.zeros((64, 64, 3), np.uint8))
    self._corners = None
    self._shape = None

  def __call__(self, image: np.ndarray) -> list[Face]:
    if self._corners is None or image.shape != self._shape:
      return self._start(image)
    corners = self._corners
    result = self._mesh.process(np.ascontiguousarray(window(image, *corners)))
    if not result.multi_face_landmarks:
      return self._start(image)
    face = _from_mesh(result.multi_face_landmarks[0], corners)
    side = corners[2] - corners[0]
    middle = np.array([corners[0] + side / 2, corners[1] + side / 2])
    # The mesh remembers where the face was in the window: the window moves
    # only when the face nears its border, and the mesh then starts anew.
    away = np.abs(face.centre - middle).max() + face.size / 2
    if away > 0.45 * side or not 0.25 < face.size / side < 0.7:
      self._corners = None
    return [face]

  def _start(self, image: np.ndarray) -> list[Face]:
    faces = self._detect(image)[:1]
    self._corners, self._shape = None, image.shape
    if faces:
      with quiet():
        self._corners = _window_corners(faces[0].box)
        self._mesh.reset()
        self._mesh.process(np.ascontiguousarray(window(image, *self._corners)))
    return faces


def _window_corners(box) -> tuple[int, int, int, int]:
  """The square twice as wide as a box around its centre, in whole pixels."""
  side = max(8, round(2 * max(box[2] - box[0], box[3] - box[1])))
  x0 = round((box[0] + box[2] - side) / 2)
  y0 = round((box[1] + box[3] - side) / 2)
  return x0, y0, x0 + side, y0 + side


def _from_mesh(mesh, corners) -> Face:
  """Picks the 68 points of MediaPipe's mesh found in a window."""
  x0, y0, x1, y1 = corners
  mesh = [mesh.landmark[index] for index in _MESH_TO_68]
  points = [(x0 + p.x * (x1 - x0), y0 + p.y * (y1 - y0)) for p in mesh]
  return Face.from_points(points)


class _FaceAlignment:
  """The detector of the paper, on the CPU unless torch finds CUDA."""

  def __init__(self):
    import face_alignment
    import torch

    self._model = face_alignment.FaceAlignment(
      face_alignment.LandmarksType.TWO_D,
      device='cuda' if torch.cuda.is_available() else 'cpu',
    )

  def __call__(self, image: np.ndarray) -> list[Face]:
    found = self._model.get_landmarks_from_image(image) or []
    # It truncates to whole pixels: take the pixels' centres.
    faces = [Face.from_points(points[:, :2] + 0.5) for points in found]
    return sorted(faces, key=lambda face: -face.size)
