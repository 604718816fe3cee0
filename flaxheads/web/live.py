"""A person moved by a camera, frame by frame."""

from typing import NamedTuple

import numpy as np

from flaxheads.fewshot.person import Person, animate_batches
from flaxheads.fewshot.rendering import resize
from flaxheads.landmarks.follow import Follower
from flaxheads.landmarks.relative_motion import RelativeMotion
from flaxheads.landmarks.retarget import keep_inside
from flaxheads.provenance.marks import Marks
from flaxheads.provenance.stamp import Stamp

FIRST_FRAMES = 8  # that show the face before the camera at rest
_NO_FACE = (
  'No face is found: come closer, face the camera, with light from the front.'
)


class View(NamedTuple):
  """The answer to a frame of the camera.

  Attributes:
    image: uint8 [S, S, 3], marked; None to keep the one before.
    sentence: what is happening.
    ok: whether a face is seen.
  """

  image: np.ndarray | None
  sentence: str
  ok: bool


class LivePerson:
  """A person with the pose and expression of the person before a camera.

  The first frames show that face at rest. From then on every frame is generated
  by itself, from how the face has changed since. Frames carry the watermark and
  a visible label, because a stream cannot be signed.
  """

  def __init__(self, person: Person, follow: Follower, marks: Marks, size: int):
    """Starts without having seen a face.

    Args:
      person: Person.
      follow: finds the face in the frames of the camera.
      marks: with a label.
      size: side of the generated images, pixels.
    """
    self._person, self._follow, self._size = person, follow, size
    self._stamp = Stamp(marks)
    self._seen, self._move, self._started = [], None, False

  def __call__(self, image: np.ndarray) -> View:
    """Takes a frame, uint8 RGB [H, W, 3], of one size in all calls.

    The first answer shows the person at rest.
    """
    first = None
    if not self._started:
      self._started, first = True, self._generate(self._person.points[None])
    (face,) = self._follow([image])
    if face is None:
      return View(first, _NO_FACE, False)
    points = face.points[None]
    if self._move is None:
      self._seen.append(points[0])
      if waiting := FIRST_FRAMES - len(self._seen):
        sentence = f'Look at the camera and keep still: {waiting} more frames.'
        return View(first, sentence, True)
      person, seen = self._person, np.stack(self._seen)
      self._move = RelativeMotion(person.support_points, person.points, seen)
    moved = keep_inside(self._move(points), self._person.image_size)
    return View(self._generate(moved), 'Live: move and speak.', True)

  def _generate(self, points):
    (frame,) = next(animate_batches(self._person, points, batch_size=1))
    (marked,) = np.asarray(self._stamp(resize(frame, self._size)[None]))
    return marked
