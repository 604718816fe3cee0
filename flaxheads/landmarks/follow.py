"""Which of several faces, and the same one in frame after frame."""

import numpy as np

from flaxheads.errors import UserError
from flaxheads.landmarks.crop import window
from flaxheads.landmarks.detect import Detector, Face

# Faces less than this part of the largest are bystanders.
SIMILAR = 1 / 3


def pick_face(faces: list[Face], face: int | None, where: str) -> Face:
  """The face that was asked for, see load_face_clip, of at least one.

  Raises:
    UserError: several and none chosen, or a number there is no face for.
  """
  largest = max(faces, key=lambda f: f.size)
  faces = [f for f in faces if f.size >= SIMILAR * largest.size]
  faces.sort(key=lambda f: f.centre[0])
  if face is None:
    if len(faces) > 1:
      raise UserError(
        f'{where}: {len(faces)} faces; choose one with --face=0 to'
        f' --face={len(faces) - 1}, counted from the left'
      )
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
    self._detector = detector
    self._choice = face
    self._where = where
    self._last = None
    self._alone = True

  def __call__(self, image: np.ndarray) -> Face | None:
    """The face in the next frame, or None."""
    if self._last is None:
      faces = self._detector(image)
      if faces:
        choice = self._choice
        self._last = (
          faces[0] if choice is None else pick_face(faces, choice, self._where)
        )
        self._alone = len(faces) == 1
      return self._last
    found = self._nearest(self._near(image))
    if found is None:
      faces = self._detector(image)
      self._alone = self._alone and len(faces) <= 1
      found = self._nearest(faces)
      if found is None and self._alone and faces:
        found = faces[0]  # after a cut, but nobody else was ever seen
    self._last = found or self._last
    return found

  def _near(self, image: np.ndarray) -> list[Face]:
    """Faces around the last one: quicker, and small ones look large."""
    half = round(1.25 * self._last.size)
    x, y = (int(c) for c in self._last.centre)
    corner = (x - half, y - half)
    part = window(image, *corner, x + half, y + half)
    faces = self._detector(np.ascontiguousarray(part))
    shift = np.array(corner, np.float32)
    return [Face.from_points(f.points + shift) for f in faces]

  def _nearest(self, faces: list[Face]) -> Face | None:
    """The one that the last face can have moved to."""
    last = self._last

    def distance(f):
      return float(np.linalg.norm(f.centre - last.centre)) / last.size

    near = [
      f for f in faces if distance(f) < 0.75 and 0.5 < f.size / last.size < 2.0
    ]
    return min(near, key=distance, default=None)
