"""E, G and D of the bi-layer generator, and how they are applied.

Training and inference share this module; it imports neither of them.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.bilayer_config import BilayerModelConfig
from flaxheads.landmarks import layout
from flaxheads.landmarks.head_warp import (
  WarpField,
  sample_bilinear,
  warp_field,
)
from flaxheads.landmarks.rasterise import rasterise_landmarks
from flaxheads.models import bilayer, windows
from flaxheads.models.bilayer import BilayerGenerator, Composite
from flaxheads.models.discriminator import Discriminator
from flaxheads.models.embedder import Embedder


class BilayerNetworks(NamedTuple):
  """E, G and D; stateless, parameters are passed in."""

  embedder: Embedder
  generator: BilayerGenerator
  discriminator: Discriminator


class Rendering(NamedTuple):
  """A window about the target's face.

  Attributes:
    origin: float32 [B, 2], its upper left corner in the frame, whole pixels.
    field: WarpField of the window.
    warped: float32 [B, n, n, 3] in [-1, 1], the warp alone.
    landmark_images: float32 [B, n, n, 3] in [-1, 1], of the target.
    rgb: float32 [B, n, n, 3], the generator's new colours.
    composite: Composite, with x̂.
  """

  origin: jax.Array
  field: WarpField
  warped: jax.Array
  landmark_images: jax.Array
  rgb: jax.Array
  composite: Composite


def build_networks(config: BilayerModelConfig) -> BilayerNetworks:
  """Builds the modules that `config` describes."""
  common = {
    'base_channels': config.base_channels,
    'max_channels': config.max_channels,
    'dtype': jnp.dtype(config.dtype),
  }
  size = config.embedding_size
  return BilayerNetworks(
    Embedder(config.embedder_size, embedding_size=size, **common),
    BilayerGenerator(
      config.window_size,
      num_residual_blocks=config.num_residual_blocks,
      bottleneck_size=config.bottleneck_size,
      max_flow=config.max_flow,
      **common,
    ),
    Discriminator(config.discriminator_size, embedding_size=size, **common),
  )


def _init(module, key, *shapes, **others):
  arrays = [jnp.zeros((1, *shape)) for shape in shapes]
  return module.init(key, *arrays, **others)['params']


def _init_embedder(networks, key):
  embedder = networks.embedder
  small = (embedder.image_size, embedder.image_size, 3)
  return _init(embedder, key, small, small)


def _init_generator(networks, key):
  generator = networks.generator
  window = (generator.window_size, generator.window_size)
  return _init(
    generator,
    key,
    (*window, bilayer.NUM_FEATURES),
    (*window, 3),
    identity_embedding=jnp.zeros((1, networks.embedder.embedding_size)),
  )


def _init_discriminator(networks, key):
  discriminator = networks.discriminator
  judged = (discriminator.image_size, discriminator.image_size, 3)
  row = (networks.embedder.embedding_size,)
  return _init(discriminator, key, judged, judged, row)


_INIT = {
  'embedder': _init_embedder,
  'generator': _init_generator,
  'discriminator': _init_discriminator,
}


def init_params(networks: BilayerNetworks, key: jax.Array) -> dict:
  """Fresh parameters: {'embedder', 'generator', 'discriminator'}."""
  keys = jax.random.split(key, len(_INIT))
  return {
    name: init(networks, each)
    for (name, init), each in zip(_INIT.items(), keys, strict=True)
  }


def describe_params(networks: BilayerNetworks, names: Sequence[str]) -> dict:
  """Shapes and dtypes of some of `init_params`, of which nothing is made."""
  key = jax.random.key(0)
  return {
    name: jax.eval_shape(functools.partial(_INIT[name], networks), key)
    for name in names
  }


def resize(images, size: int):
  """[..., S, S, C] to [..., size, size, C], with a filter against aliasing."""
  if images.shape[-2] == size:
    return images
  shape = (*images.shape[:-3], size, size, images.shape[-1])
  return jax.image.resize(images, shape, 'linear')


def embed_people(networks: BilayerNetworks, params, frames, points):
  """ê: the mean of E over the K support frames of every person.

  Args:
    networks: BilayerNetworks.
    params: of E.
    frames: float [B, K, S, S, 3] in [-1, 1].
    points: float [B, K, 68, 2], pixels.

  Returns:
    float32 [B, N].
  """
  size = networks.embedder.image_size
  landmark_images = rasterise_landmarks(points * (size / frames.shape[2]), size)
  return embed_frames(networks, params, frames, landmark_images)


def embed_frames(networks: BilayerNetworks, params, frames, landmark_images):
  """As `embed_people`, with landmark images of E's size, [B, K, s, s, 3]."""
  b, k = frames.shape[:2]
  size = networks.embedder.image_size
  embeddings = networks.embedder.apply(
    {'params': params},
    resize(frames.reshape(b * k, *frames.shape[2:]), size),
    landmark_images.reshape(b * k, *landmark_images.shape[2:]),
  )
  return bilayer.EMBEDDING_SCALE * embeddings.reshape(b, k, -1).mean(1)


def render_window(
  networks: BilayerNetworks,
  params,
  photograph,
  source,
  target,
  adain_params=None,
  embedding=None,
) -> Rendering:
  """The window about the target's face, x̂ and all it is made of.

  Args:
    networks: BilayerNetworks.
    params: of G.
    photograph: float [B, S, S, 3] in [-1, 1].
    source: float32 [B, V, 3], the mesh in the photograph.
    target: float32 [B, V, 3], the mesh in the target frame.
    adain_params: float32 [B, M], or None:
    embedding: float32 [B, N], which psi is projected from.
  """
  image_size = photograph.shape[1]
  window_size = networks.generator.window_size
  points = target[:, : layout.NUM_POINTS, :2]
  origin = windows.window_origin(points, window_size, image_size)
  field = warp_field(source, target, image_size, origin, window_size)
  warped = sample_bilinear(photograph, field.xy)
  landmark_images = rasterise_landmarks(points - origin[:, None], window_size)
  output = networks.generator.apply(
    {'params': params},
    bilayer.window_features(landmark_images, warped, field, origin),
    warped,
    adain_params,
    embedding,
  )
  return Rendering(
    origin,
    field,
    warped,
    landmark_images,
    output.rgb,
    bilayer.composite(photograph, field, output),
  )


def discriminate(
  networks: BilayerNetworks, params, frames, landmark_images, rows
):
  """R = D(x, y, i) of windows, [B, n, n, 3] each, at D's own size."""
  size = networks.discriminator.image_size
  return networks.discriminator.apply(
    {'params': params},
    resize(frames, size),
    resize(landmark_images, size),
    rows,
  )
