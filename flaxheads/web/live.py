"""A person moved by a camera, frame by frame."""

import numpy as np

from flaxheads.fewshot.person import Person, animate_batches
from flaxheads.fewshot.rendering import resize
from flaxheads.landmarks.follow import Follower
from flaxheads.landmarks.relative_motion import RelativeMotion
from flaxheads.landmarks.retarget import keep_inside
from flaxheads.provenance.marks import Marks, Stamp

_FIRST_FRAMES = 8  # from which the face before the camera is learned


class LivePerson:
  """A person with the pose and expression of whoever is before a camera.

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
      size: side of the pictures, pixels.
    """
    self._person, self._follow, self._size = person, follow, size
    self._stamp = Stamp(marks)
    self._seen, self._move = [], None

  @property
  def waiting_for(self) -> int:
    """Frames with a face that are still needed before it can generate any."""
    return max(0, _FIRST_FRAMES - len(self._seen))

  def __call__(self, image: np.ndarray) -> np.ndarray | None:
    """Takes a frame.

    Args:
      image: uint8 RGB [H, W, 3], of one size in all calls.

    Returns:
      uint8 [size, size, 3]; None without a face, and for the first frames.
    """
    (face,) = self._follow([image])
    if face is None:
      return None
    points = face.points[None]
    if self._move is None:
      self._seen.append(points[0])
      if not self.waiting_for:
        self._learn()
      return None
    moved = keep_inside(self._move(points), self._person.image_size)
    (frame,) = next(animate_batches(self._person, moved, batch_size=1))
    (marked,) = np.asarray(self._stamp(resize(frame, self._size)[None]))
    return marked

  def _learn(self):
    seen = np.stack(self._seen)
    person = self._person
    self._move = RelativeMotion(person.support_points, person.points, seen)
