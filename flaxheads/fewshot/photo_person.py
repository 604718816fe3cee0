"""A person made of their photographs: pixels moved by the head mesh.

Nothing is trained. What no photograph shows, such as the teeth behind lips that
are closed in all of them, is filled plausibly at best.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import cv2
import jax
import numpy as np

from flaxheads.data.support import Support
from flaxheads.errors import UserError
from flaxheads.fewshot.person import Batch, Person, padded_batches
from flaxheads.fewshot.photo_composer import PhotoComposer
from flaxheads.landmarks.crop import crop_image
from flaxheads.landmarks.gaze import fill

if TYPE_CHECKING:  # a person without a network loads none
  from flaxheads.fewshot.bilayer_model import BilayerModel
  from flaxheads.fewshot.photo_network import PhotoNetwork

# Sides of photographs and of frames, pixels.
MIN_SIZE, MAX_SIZE = 128, 1024
_MULTIPLE = 16  # what video encoders like
_MAX_PHOTOGRAPHS = 64
_BATCH = 8
_MANY = 128  # frames that are worth a program that is optimised


@dataclasses.dataclass(frozen=True, kw_only=True)
class PhotoPerson(Person):
  """Photographs, to be moved by the head mesh.

  Attributes:
    photographs: uint8 [T, S, S, 3]; the first is `frame`.
    network: corrects the warp and generates what no photograph shows; None:
      the mesh alone.
  """

  kind: ClassVar[str] = 'photo'
  in_portrait: ClassVar[bool] = True
  photographs: np.ndarray
  network: 'PhotoNetwork | None' = None

  @functools.cached_property
  def _composer(self) -> PhotoComposer:
    return PhotoComposer(
      self.photographs, self.support_points, self.network, self.gaze
    )

  def compose(self, points) -> np.ndarray:
    """Frames that do not depend on each other, unlike those of a clip.

    Args:
      points: float [F, 68, 2], pixels.

    Returns:
      uint8 [F, S, S, 3].
    """
    return self._composer(points)

  def generate_batches(
    self, points, batch_size: int | None = None, gaze=None
  ) -> Iterator[Batch]:
    """See Person."""
    choosers, many = self._composer.start(), len(points) >= _MANY
    start = 0
    for part, count in padded_batches(points, batch_size or _BATCH):
      wanted = None if gaze is None else gaze[start : start + count]
      frames = self._composer(part[:count], choosers, wanted, many)
      start += count
      padding = frames[-1:].repeat(len(part) - count, 0)
      yield Batch(np.concatenate([frames, padding]), count)

  def describe(self) -> dict[str, Any]:
    """See Person."""
    count, size = self.photographs.shape[:2]
    own = {'num_photographs': count, 'image_size': size}
    if self.network is not None:
      own['network'] = dataclasses.asdict(self.network.config)
    return own

  def tensors(self) -> dict[str, Any]:
    """See Person."""
    own = {'photographs': self.photographs}
    if self.network is not None:
      own['network'] = self.network.tensors()
    return own

  @classmethod
  def expected(cls, description: dict) -> tuple[int, dict[str, Any]]:
    """See Person."""
    count, size = (
      description.get(name) for name in ('num_photographs', 'image_size')
    )
    if not (
      isinstance(count, int)
      and isinstance(size, int)
      and 1 <= count <= _MAX_PHOTOGRAPHS
      and 1 <= size <= MAX_SIZE
    ):
      raise UserError(
        f'a person of {count!r} photographs of {size!r} pixels: expected 1 to '
        f'{_MAX_PHOTOGRAPHS} of at most {MAX_SIZE}; make the person again'
      )
    shape = (count, size, size, 3)
    own = {'photographs': jax.ShapeDtypeStruct(shape, np.uint8)}
    if 'network' in description:
      from flaxheads.fewshot.photo_network import PhotoNetwork, read_config

      own['network'] = PhotoNetwork.expected(read_config(description))
    return size, own

  @classmethod
  def restore(
    cls, description: dict, tensors: dict, common: Mapping[str, Any]
  ) -> Self:
    """See Person."""
    if len(common['support_points']) != len(tensors['photographs']):
      raise UserError(
        'a person needs the landmarks of every photograph; make the person '
        'again'
      )
    network = None
    if 'network' in description:
      from flaxheads.fewshot.photo_network import PhotoNetwork, read_config

      network = PhotoNetwork(read_config(description), **tensors['network'])
    return cls(photographs=tensors['photographs'], network=network, **common)


def native_size(side: float) -> int:
  """The side of frames for a face whose crop has `side` pixels."""
  size = _MULTIPLE * round(side / _MULTIPLE)
  return int(np.clip(size, MIN_SIZE, MAX_SIZE))


def photo_person(
  support: Support, model: 'BilayerModel | None' = None
) -> PhotoPerson:
  """A person from photographs whose faces are known.

  Args:
    support: T frames of MAX_SIZE, so that no pixel of them is lost.
    model: a bi-layer generator that corrects the mesh's warp; None: none.

  Returns:
    PhotoPerson at the first photograph's own resolution.
  """
  size = native_size(support.sides[0])
  frames = np.stack(
    [
      cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA)
      for frame in support.frames
    ]
  )
  # Without the detour over MAX_SIZE.
  frames[0] = crop_image(support.portrait.image, support.portrait.box, size)
  scale = np.float32(size / support.frames.shape[1])
  points = np.asarray(support.points, np.float32) * scale
  person = person_of_crops(frames, points, model)
  gaze = None if support.gaze is None else fill(support.gaze)
  return dataclasses.replace(person, portrait=support.portrait, gaze=gaze)


def person_of_crops(
  frames: np.ndarray, points: np.ndarray, model: 'BilayerModel | None' = None
) -> PhotoPerson:
  """A person without a portrait, at the resolution of the crops.

  Args:
    frames: uint8 [T, S, S, 3].
    points: float [T, 68, 2], pixels.
    model: as of `photo_person`.
  """
  info = {'method': 'photographs', 'num_shots': len(frames)}
  network = None
  if model is not None:
    from flaxheads.fewshot.photo_network import PhotoNetwork

    network = PhotoNetwork.of_person(model, frames, points)
    info |= {
      'method': 'bi-layer',
      'model': model.info.get('name', ''),
      'model_sha256': model.info.get('sha256', ''),
    }
  return PhotoPerson(
    frame=frames[0],
    support_points=np.asarray(points, np.float32),
    info=info,
    photographs=frames,
    network=network,
  )
