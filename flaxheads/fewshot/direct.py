"""A person of the paper's generator, which makes frames from landmarks alone.

"Direct synthesis", as Zakharov et al. 2019 call it, beside methods that warp
the pixels of a photograph.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import jax
import numpy as np

from flaxheads import config as configs
from flaxheads import networks as nets
from flaxheads.config import ModelConfig
from flaxheads.data.pixels import to_float, to_uint8
from flaxheads.fewshot.model import Model
from flaxheads.fewshot.person import (
  Batch,
  Person,
  padded_batches,
  without_projection,
)
from flaxheads.landmarks import host_raster
from flaxheads.landmarks.rasterise import rasterise_landmarks
from flaxheads.quick_jit import quick_jit

BATCH = 16
_PIXELS_ON_CPU = 256 * 256  # of the frames of one batch


@dataclasses.dataclass(frozen=True, kw_only=True)
class DirectPerson(Person):
  """A generator and psi'.

  Attributes:
    config: sizes of the networks.
    generator: parameters of G without P, spectral normalisation folded in.
    adain_params: psi or psi', float32 [M].
  """

  kind: ClassVar[str] = 'direct'
  config: ModelConfig
  generator: dict
  adain_params: np.ndarray

  def generate_batches(
    self, points, batch_size: int | None = None, gaze=None
  ) -> Iterator[Batch]:
    """See Person; landmarks hold no gaze."""
    del gaze
    generate = build_generate(nets.build_networks(self.config))
    batch_size = batch_size or best_batch_size(self.image_size)
    for part, count in padded_batches(points, batch_size):
      yield Batch(generate(self.generator, self.adain_params, part), count)

  def describe(self) -> dict[str, Any]:
    """See Person."""
    return {'model': dataclasses.asdict(self.config)}

  def tensors(self) -> dict[str, Any]:
    """See Person."""
    return {'generator': self.generator, 'adain_params': self.adain_params}

  @classmethod
  def expected(cls, description: dict) -> tuple[int, dict[str, Any]]:
    """See Person."""
    config = configs.from_dict(description.get('model', {}), ModelConfig)
    networks = nets.build_networks(config)
    params = jax.eval_shape(
      lambda key: nets.init_params(networks, key), jax.random.key(0)
    )
    psi = (networks.generator.num_adain_params,)
    return config.image_size, {
      'generator': without_projection(params['generator']),
      'adain_params': jax.ShapeDtypeStruct(psi, np.float32),
    }

  @classmethod
  def restore(
    cls, description: dict, tensors: dict, common: Mapping[str, Any]
  ) -> Self:
    """See Person."""
    config = configs.from_dict(description['model'], ModelConfig)
    return cls(config=config, **tensors, **common)


@functools.lru_cache(maxsize=8)
def build_generate(networks: nets.Networks):
  """A jitted function (generator, psi [M], points [B, 68, 2]) -> uint8 frames.

  Args:
    networks: of the person; the generator's parameters are those of
      `DirectPerson`.
  """

  @jax.jit
  def generate(generator, adain_params, points):
    landmark_images = rasterise_landmarks(points, networks.embedder.image_size)
    psi = adain_params[None].repeat(points.shape[0], 0)  # [B, M]
    return to_uint8(nets.generate(networks, generator, landmark_images, psi))

  return generate


def best_batch_size(image_size: int) -> int:
  """How many frames are generated at once where none waits to be shown.

  On CPUs no more than the caches hold: sixteen of 256² take 1.1 times as long
  in one batch as one after the other.
  """
  if jax.default_backend() != 'cpu':
    return BATCH
  return min(BATCH, max(1, _PIXELS_ON_CPU // image_size**2))


@functools.lru_cache(maxsize=8)
def build_embedder(networks: nets.Networks):
  """A jitted (params, frames, landmark_images) -> (ê [N], psi [M]).

  Frames are uint8 [T, S, S, 3], landmark images float32 of the same size.
  `__wrapped__` is the function before jax.jit.
  """

  def embed(params, frames, landmark_images):
    embedding = nets.embed_people(
      networks,
      params['embedder'],
      to_float(frames)[None],
      landmark_images[None],
    )
    return embedding[0], nets.project(params['generator'], embedding)[0]

  return quick_jit(embed, 'once')


def embed_person(model: Model, frames, points):
  """ê, the mean embedding of the T frames, and psi = P ê.

  Args:
    model: Model.
    frames: uint8 [T, S, S, 3].
    points: float32 [T, 68, 2] in pixels.

  Returns:
    float32 [N] and float32 [M].
  """
  check_frames(model.config, frames, points)
  landmark_images = host_raster.landmark_images(points, frames.shape[2])
  return build_embedder(model.networks)(
    model.normal, np.asarray(frames), landmark_images
  )


def check_frames(config: ModelConfig, frames, points) -> None:
  """Raises ValueError unless frames and points fit the model."""
  size = config.image_size
  if frames.shape[1:] != (size, size, 3) or frames.dtype != np.uint8:
    raise ValueError(
      f'frames: {frames.dtype} {frames.shape} is not uint8 [T, {size}, {size}, '
      '3]'
    )
  if points.shape != (len(frames), 68, 2):
    raise ValueError(
      f'points: shape {points.shape} is not ({len(frames)}, 68, 2)'
    )


def feed_forward(model: Model, frames, points) -> DirectPerson:
  """A person without fine-tuning: one pass of E and P.

  Args:
    model: Model.
    frames: uint8 [T, S, S, 3].
    points: float32 [T, 68, 2] in pixels.
  """
  _, adain_params = embed_person(model, frames, points)
  return DirectPerson(
    config=model.config,
    generator=without_projection(model.normal['generator']),
    adain_params=np.asarray(adain_params),
    frame=np.asarray(frames[0]),
    support_points=np.asarray(points, np.float32),
    info={
      'method': 'feed-forward',
      'num_shots': len(frames),
      'model': model.info.get('name', ''),
      'model_sha256': model.info.get('sha256', ''),
    },
  )
