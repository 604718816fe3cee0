"""What the bi-layer generator is trained with, but for the discriminator."""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from absl import logging

from flaxheads.bilayer_config import BilayerConfig, BilayerLossConfig
from flaxheads.bilayer_networks import Rendering, resize
from flaxheads.models.lpips import LPIPS
from flaxheads.training import losses
from flaxheads.weights import store

_PART_MARGIN = 3  # pixels about mouth and eyes that count as theirs
_LPIPS_SIZE = 112  # windows are enlarged: LPIPS knows pictures, not thumbnails
_NO_PART = 1.0  # pixels: the mean over a part of no pixels is 0


class ContentTerms(NamedTuple):
  """Weighted terms of the loss; their sum is minimised."""

  pyramid: jax.Array
  lpips: jax.Array
  head: jax.Array
  mouth: jax.Array
  eyes: jax.Array
  rgb: jax.Array
  flow: jax.Array
  mask: jax.Array


class Perceptual(NamedTuple):
  """LPIPS, where the config names a file of it.

  Attributes:
    params: constants, passed to the step as an argument; {} without a file.
    apply: (params, x̂, x) -> float32 scalar, not weighted.
  """

  params: dict
  apply: Callable


def load_perceptual(config: BilayerConfig) -> Perceptual:
  """LPIPS as `config.perceptual` asks for it.

  Raises:
    UserError: the file is missing, or does not fit the network.
  """
  files = config.perceptual
  path = files.lpips_alex or files.lpips_vgg
  if not path:
    logging.info('no LPIPS (--config.perceptual.lpips_alex=FILE.safetensors)')
    return Perceptual({}, lambda params, fake, real: jnp.zeros(()))
  backbone = 'alex' if files.lpips_alex else 'vgg'
  network = LPIPS(backbone)
  image = jnp.zeros((1, 64, 64, 3))
  like = jax.eval_shape(network.init, jax.random.key(0), image, image)
  weights = store.load(path, f'lpips_{backbone}', like=like['params'])
  network = network.clone(convention=weights.convention)

  def apply(params, fake, real):
    fake, real = resize(fake, _LPIPS_SIZE), resize(real, _LPIPS_SIZE)
    return network.apply({'params': params}, fake, real).mean()

  return Perceptual(weights.params, apply)


def widened(mask, margin: int = _PART_MARGIN):
  """A mask [B, H, W, 1] grown by `margin` pixels."""
  side = 2 * margin + 1
  return nn.max_pool(mask, (side, side), padding='SAME')


def part_mean(weight, x):
  """The mean of [B, H, W, C] over a part of each picture, weight [B, H, W, 1].

  Of every picture by itself, so that the mean over devices is that over the
  batch.
  """
  total = (weight * x).sum((1, 2, 3))
  return (total / (weight.sum((1, 2, 3)) * x.shape[-1] + _NO_PART)).mean()


def variation(x):
  """The mean absolute difference of neighbours in [B, H, W, C]."""
  down = jnp.abs(x[:, 1:] - x[:, :-1]).mean()
  return down + jnp.abs(x[:, :, 1:] - x[:, :, :-1]).mean()


def content_terms(
  rendering: Rendering,
  real,
  weights: BilayerLossConfig,
  perceptual: Callable,
) -> ContentTerms:
  """All terms but the discriminator's.

  Args:
    rendering: of the window.
    real: x in the window, float [B, n, n, 3] in [-1, 1].
    weights: of the terms.
    perceptual: (x̂, x) -> scalar.
  """
  fake, mask, flow = rendering.composite
  labels = rendering.field.labels
  mouth, eyes = widened(labels[..., :1]), widened(labels[..., 1:2])
  parts = jnp.minimum(mouth + eyes, 1.0)
  apart = jnp.abs(fake - real)
  rgb_apart = jnp.abs(rendering.rgb - real)
  flow = flow / real.shape[1]  # in windows
  return ContentTerms(
    pyramid=weights.pyramid * losses.pyramid_loss(fake, real),
    lpips=weights.lpips * perceptual(fake, real),
    head=weights.head * part_mean(1 - labels[..., 2:], apart),
    mouth=weights.mouth * part_mean(mouth, apart),
    eyes=weights.eyes * part_mean(eyes, apart),
    rgb=weights.rgb * (rgb_apart.mean() + part_mean(parts, rgb_apart)),
    flow=weights.flow_variation * variation(flow)
    + weights.flow * jnp.abs(flow).mean(),
    mask=weights.mask_variation * variation(mask)
    + weights.keep * ((1 - mask) * (1 - parts)).mean(),
  )
