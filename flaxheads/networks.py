"""The three networks that a config describes, and how they are applied.

Training and inference share this module; it imports neither of them.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from flaxheads.config import ModelConfig
from flaxheads.models import spectral
from flaxheads.models.discriminator import Discriminator, DiscriminatorOutput
from flaxheads.models.embedder import Embedder
from flaxheads.models.generator import Generator, Projection
from flaxheads.models.layers import BLOCK_OUTPUT

NETWORKS = ('embedder', 'generator', 'discriminator')


class Networks(NamedTuple):
  """E, G and D; stateless, parameters are passed in."""

  embedder: Embedder
  generator: Generator
  discriminator: Discriminator


def build_networks(config: ModelConfig) -> Networks:
  """Builds the modules that `config` describes."""
  dtype = jnp.dtype(config.dtype)
  common = {
    'image_size': config.image_size,
    'base_channels': config.base_channels,
    'max_channels': config.max_channels,
    'dtype': dtype,
  }
  return Networks(
    Embedder(
      embedding_size=config.embedding_size, pooling=config.pooling, **common
    ),
    Generator(
      num_residual_blocks=config.num_residual_blocks,
      bottleneck_size=config.bottleneck_size,
      **common,
    ),
    Discriminator(
      embedding_size=config.embedding_size, pooling=config.pooling, **common
    ),
  )


def recompute_blocks(function):
  """Keeps the outputs of residual blocks for the backward pass, no more.

  What is inside a block is computed again: less memory for about a third more
  arithmetic.
  """
  policy = jax.checkpoint_policies.save_only_these_names(BLOCK_OUTPUT)
  return jax.checkpoint(function, policy=policy)


_TRUNCATED_STDDEV = 0.87962566  # of a normal distribution cut at 2


def _draw_kernels(key: jax.Array, params) -> dict:
  """Draws every kernel [..., in, out] from LeCun's truncated normal.

  That is what `Conv` does one kernel at a time. One draw for all of them
  compiles in a fraction of the time, and XLA drops the draws that it replaces.
  """
  flat, paths = spectral.kernels(params)
  ends = np.cumsum([flat[path].size for path in paths])
  drawn = jax.random.truncated_normal(key, -2, 2, (ends[-1],))
  for path, values in zip(paths, jnp.split(drawn, ends[:-1]), strict=True):
    shape = flat[path].shape
    stddev = 1 / math.sqrt(math.prod(shape[:-1]))
    flat[path] = values.reshape(shape) * (stddev / _TRUNCATED_STDDEV)
  return traverse_util.unflatten_dict(flat)


def init_params(networks: Networks, key: jax.Array) -> dict:
  """Fresh parameters: {'embedder': ..., 'generator': ..., 'discriminator'}."""
  size = networks.embedder.image_size
  image = jnp.zeros((1, size, size, 3))
  vector = jnp.zeros((1, networks.embedder.embedding_size))
  *keys, kernel_key = jax.random.split(key, 4)
  variables = {
    'embedder': networks.embedder.init(keys[0], image, image),
    'generator': networks.generator.init(
      keys[1], image, identity_embedding=vector
    ),
    'discriminator': networks.discriminator.init(keys[2], image, image, vector),
  }
  params = {name: tree['params'] for name, tree in variables.items()}
  return _draw_kernels(kernel_key, params)


def embed_people(networks, params, frames, landmark_images):
  """ê: the mean of E over the K support frames of every person.

  Args:
    networks: Networks.
    params: normalised parameters of E.
    frames: [B, K, H, W, 3] in [-1, 1].
    landmark_images: [B, K, H, W, 3] in [-1, 1].

  Returns:
    float32 [B, N].
  """
  b, k = frames.shape[:2]
  embeddings = networks.embedder.apply(
    {'params': params},
    frames.reshape(b * k, *frames.shape[2:]),
    landmark_images.reshape(b * k, *frames.shape[2:]),
  )
  return embeddings.reshape(b, k, -1).mean(1)


def generate(
  networks, params, landmark_images, adain_params=None, embedding=None
):
  """x̂ = G(y, psi), with psi given or projected from `embedding`."""
  return networks.generator.apply(
    {'params': params}, landmark_images, adain_params, embedding
  )


def discriminate(
  networks, params, frames, landmark_images, rows, add_w0=True
) -> DiscriminatorOutput:
  """R = D(x, y, i); `rows` are W_i, or w' with add_w0=False."""
  return networks.discriminator.apply(
    {'params': params}, frames, landmark_images, rows, add_w0
  )


def score_as_others(params, vectors, rows):
  """D(x, y, j) = V(x, y)^T (W_j + w0) + b of every frame and every row.

  Args:
    params: parameters of D.
    vectors: V(x, y), [B, N].
    rows: W_j, [M, N].

  Returns:
    float32 [B, M].
  """
  w = rows + params['w0']
  return jnp.einsum('bn,mn->bm', vectors, w, precision='highest') + params['b']


def project(params, embedding):
  """Psi = P e: [B, N] -> [B, M], with normalised generator parameters."""
  projection = Projection(params['projection']['bias'].shape[0])
  return projection.apply({'params': params['projection']}, embedding)
