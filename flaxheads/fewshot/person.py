"""The interface of a person who can be animated.

Rendering, paste-back, the page and `flaxheads.api` use this interface alone.
To add a kind, subclass `Person`, and list it in `person_folder.KINDS`:

  frame, support_points, info, portrait   what is known of the person
  image_size                              S, of generated frames and of points
  generate_batches(points)                landmarks to frames
  describe(), tensors()                   for the person's folder
  expected(description)                   the shapes that such a folder holds
  restore(description, tensors, common)   the inverse of the two before
"""

import abc
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, Self

import jax
import numpy as np

from flaxheads.data.support import Portrait


class Batch(NamedTuple):
  """Generated frames.

  Attributes:
    frames: uint8 [B, S, S, 3], on the device or in memory. B is the same for
      all batches, so that what follows compiles once.
    count: how many of them are valid; the others pad the last batch.
  """

  frames: jax.Array | np.ndarray
  count: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Person(abc.ABC):
  """A person who can be animated.

  Attributes:
    kind: names the subclass in a person's folder.
    in_portrait: whether videos show the whole portrait unless asked otherwise.
    frame: uint8 [S, S, 3], the first of the images.
    support_points: float32 [T, 68, 2], the landmarks of all images, in
      pixels: what is known of the face's shape.
    info: how the person was made, JSON values: method, num_shots, model,
      model_sha256; of `flaxheads.make_person` also source, rights, remarks.
    portrait: the whole image of `frame`, to paste the moving head into.
    gaze: float32 [T, 2, 2], of all images, see landmarks/gaze.py; None:
      unknown.
    folder: that the person was read from, if any; for reports.
  """

  kind: ClassVar[str]
  in_portrait: ClassVar[bool] = False
  frame: np.ndarray
  support_points: np.ndarray
  info: dict
  portrait: Portrait | None = None
  gaze: np.ndarray | None = None
  folder: str | None = dataclasses.field(default=None, compare=False)

  @property
  def image_size(self) -> int:
    """S: the side of generated frames; points are in pixels of them."""
    return len(self.frame)

  @property
  def points(self) -> np.ndarray:
    """float32 [68, 2], the landmarks of `frame`."""
    return self.support_points[0]

  @abc.abstractmethod
  def generate_batches(
    self, points, batch_size: int | None = None, gaze: np.ndarray | None = None
  ) -> Iterator[Batch]:
    """Generates the frames that show the person with given landmarks.

    Args:
      points: float32 [F, 68, 2] in pixels.
      batch_size: B; 1 for a camera, whose frames cannot wait for one another;
        None for what is fastest.
      gaze: float32 [F, 2, 2], the person's; None leaves it as it comes. People
        whose `gaze` is None do not follow it.
    """

  @abc.abstractmethod
  def describe(self) -> dict[str, Any]:
    """JSON values that the shapes of `tensors` follow from."""

  @abc.abstractmethod
  def tensors(self) -> dict[str, Any]:
    """A tree of arrays; without frame, support_points and portrait."""

  @classmethod
  @abc.abstractmethod
  def expected(cls, description: dict) -> tuple[int, dict[str, Any]]:
    """S, and a tree like `tensors` of jax.ShapeDtypeStruct.

    Args:
      description: what `describe` gave, read from a file.

    Raises:
      UserError: it describes no person of this kind.
    """

  @classmethod
  @abc.abstractmethod
  def restore(
    cls, description: dict, tensors: dict, common: Mapping[str, Any]
  ) -> Self:
    """Makes the person again.

    Args:
      description: what `describe` gave.
      tensors: what `tensors` gave.
      common: the attributes of this class, by name.
    """


def without_projection(generator: dict) -> dict:
  """Parameters of a generator that a person keeps: psi replaces P ê."""
  return {k: v for k, v in generator.items() if k != 'projection'}


def padded_batches(points, batch_size: int) -> Iterator[tuple[np.ndarray, int]]:
  """Splits points into batches of one size, as one size compiles once.

  Args:
    points: [F, 68, 2].
    batch_size: B.

  Yields:
    float32 [B, 68, 2], the last ones repeated, and how many are not padding.
  """
  points = np.asarray(points, np.float32)
  for start in range(0, len(points), batch_size):
    part = points[start : start + batch_size]
    missing = batch_size - len(part)
    yield np.concatenate([part, part[-1:].repeat(missing, 0)]), len(part)


def animate_batches(
  person: Person, points, batch_size: int | None = None, gaze=None
) -> Iterator[np.ndarray]:
  """Generates the person's frames, a batch at a time.

  Args:
    person: Person.
    points: float32 [F, 68, 2] in pixels of the person's frames.
    batch_size: B; see Person.generate_batches.
    gaze: as there.

  Yields:
    uint8 [b, S, S, 3], b frames in order, at most B at a time. They carry no
    watermark: see `flaxheads.Marks`.
  """
  for batch in person.generate_batches(points, batch_size, gaze):
    yield np.asarray(batch.frames)[: batch.count]


def animate(person: Person, points, gaze=None) -> np.ndarray:
  """Generates the person with the landmarks of every frame.

  Args:
    person: Person.
    points: float32 [F, 68, 2] in pixels of the person's frames.
    gaze: as of Person.generate_batches.

  Returns:
    uint8 [F, S, S, 3], without a watermark: see `flaxheads.Marks`.
  """
  return np.concatenate(list(animate_batches(person, points, gaze=gaze)))
