"""Chooses one of several faces, and tracks it from frame to frame."""

from collections.abc import Sequence

import numpy as np

from flaxheads.errors import UserError
from flaxheads.landmarks.detect import Detector, Face, find_faces

# Faces less than this part of the largest are bystanders.
SIMILAR = 1 / 3


class SeveralFacesError(UserError):
  """An image shows several faces, and none was chosen.

  Attributes:
    count: the number of faces to choose from.
  """

  def __init__(self, where: str, count: int):
    """Args: name of the image, and the number of faces."""
    self.count = count
    super().__init__(
      f'{where}: {count} faces; choose one with --face=0 to --face={count - 1},'
      ' counted from the left'
    )


def pick_face(faces: list[Face], face: int | None, where: str) -> Face:
  """The chosen face of at least one; see load_face_clip.

  Raises:
    UserError: several and none chosen, or a number there is no face for.
  """
  largest = max(faces, key=lambda f: f.size)
  faces = [f for f in faces if f.size >= SIMILAR * largest.size]
  faces.sort(key=lambda f: f.centre[0])
  if face is None:
    if len(faces) > 1:
      raise SeveralFacesError(where, len(faces))
    return largest
  if face >= len(faces):
    count = f'{len(faces)} faces' if len(faces) > 1 else 'one face'
    raise UserError(
      f'--face={face}: {where} shows {count}; the first from the left is 0'
    )
  return faces[face]


class Follower:
  """Finds the same face in frame after frame of a video."""

  def __init__(self, detector: Detector, face: int | None, where: str):
    """Starts before the first frame.

    Args:
      detector: of faces.
      face: which of several, see pick_face; None: the largest.
      where: names the video in messages.
    """
    self._detector = detector
    self._choice = face
    self._where = where
    self._last = None
    self._alone = True

  def __call__(self, images: Sequence[np.ndarray]) -> list[Face | None]:
    """The face, or None, in each of the next frames, uint8 [H, W, 3]."""
    found = []
    while len(found) < len(images):
      found += self._follow(images[len(found) :])
    return found

  def _follow(self, images) -> list[Face | None]:
    """As __call__, but ends after a face that had to be searched."""
    if self._last is None:
      return [self._first(images[0])]
    found = []
    for image, face in zip(
      images, self._detector.track(images, self._last), strict=True
    ):
      if face is not None and self._nearest([face]):
        found.append(face)
        self._last = face
        continue
      found.append(self._search(image))
      if found[-1] is not None:
        self._last = found[-1]
        break
    return found

  def _first(self, image) -> Face | None:
    faces = self._detector(image)
    if faces:
      choice = self._choice
      self._last = (
        faces[0] if choice is None else pick_face(faces, choice, self._where)
      )
      self._alone = len(faces) == 1
    return self._last

  def _search(self, image) -> Face | None:
    (faces,) = find_faces(self._detector, [image])
    self._alone = self._alone and len(faces) <= 1
    found = self._nearest(faces)
    if found is None and self._alone and faces:
      found = faces[0]  # after a cut, in a video of one person
    return found

  def _nearest(self, faces: list[Face]) -> Face | None:
    """The one that the last face can have moved to."""
    last = self._last

    def distance(f):
      return float(np.linalg.norm(f.centre - last.centre)) / last.size

    near = [
      f for f in faces if distance(f) < 0.75 and 0.5 < f.size / last.size < 2.0
    ]
    return min(near, key=distance, default=None)
