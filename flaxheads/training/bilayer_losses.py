"""The losses of the bi-layer generator, except the discriminator's."""

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
from flaxheads.training.content_loss import load_identity
from flaxheads.weights import store

_PART_MARGIN = 3  # pixels about mouth and eyes that count as theirs
_LPIPS_SIZE = 112  # windows are enlarged: LPIPS knows images, not thumbnails
_NO_PART = 1.0  # pixels: the mean over a part of no pixels is 0


class ContentTerms(NamedTuple):
  """Weighted terms of the loss; their sum is minimised."""

  pyramid: jax.Array
  lpips: jax.Array
  identity: jax.Array
  head: jax.Array
  mouth: jax.Array
  eyes: jax.Array
  rgb: jax.Array
  flow: jax.Array
  mask: jax.Array


class Perceptual(NamedTuple):
  """Networks of others in the loss, where the config names files of them.

  Attributes:
    params: by name: 'lpips', 'dlib_resnet'; constants, passed to the step as an
      argument.
    lpips: (params, x̂, x) -> float32 scalar, not weighted.
    identity: (params, x̂, x, points) -> the same.
  """

  params: dict
  lpips: Callable
  identity: Callable


def _none(*_):
  return jnp.zeros(())


def _load_lpips(files):
  """LPIPS' parameters and function, or neither."""
  path = files.lpips_alex or files.lpips_vgg
  if not path:
    logging.info('no LPIPS (--config.perceptual.lpips_alex=FILE.safetensors)')
    return {}, _none
  backbone = 'alex' if files.lpips_alex else 'vgg'
  network = LPIPS(backbone)
  image = jnp.zeros((1, 64, 64, 3))
  like = jax.eval_shape(network.init, jax.random.key(0), image, image)
  weights = store.load(path, f'lpips_{backbone}', like=like['params'])
  network = network.clone(convention=weights.convention)

  def apply(params, fake, real):
    fake, real = resize(fake, _LPIPS_SIZE), resize(real, _LPIPS_SIZE)
    return network.apply({'params': params['lpips']}, fake, real).mean()

  return {'lpips': weights.params}, apply


def load_perceptual(config: BilayerConfig) -> Perceptual:
  """The networks that `config.perceptual` names files of.

  Raises:
    UserError: a file is missing, or does not fit the network; dlib's network
      without a weight, or the other way round.
  """
  params, lpips = _load_lpips(config.perceptual)
  more, identity = load_identity(config)
  return Perceptual({**params, **more}, lpips, identity)


def widened(mask, margin: int = _PART_MARGIN):
  """A mask [B, H, W, 1] grown by `margin` pixels."""
  side = 2 * margin + 1
  return nn.max_pool(mask, (side, side), padding='SAME')


def part_mean(weight, x):
  """The mean of [B, H, W, C] over a part of each image, weight [B, H, W, 1].

  Of every image by itself, so that the mean over devices is that over the
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
  points,
  weights: BilayerLossConfig,
  perceptual: Perceptual,
  constants: dict,
) -> ContentTerms:
  """All terms but the discriminator's.

  Args:
    rendering: of the window.
    real: x in the window, float [B, n, n, 3] in [-1, 1].
    points: of the target in the frame, [B, 68, 2] in pixels.
    weights: of the terms.
    perceptual: Perceptual.
    constants: its parameters.
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
    lpips=weights.lpips * perceptual.lpips(constants, fake, real),
    identity=weights.identity
    * perceptual.identity(
      constants, fake, real, points - rendering.origin[:, None]
    ),
    head=weights.head * part_mean(1 - labels[..., 2:], apart),
    mouth=weights.mouth * part_mean(mouth, apart),
    eyes=weights.eyes * part_mean(eyes, apart),
    rgb=weights.rgb * (rgb_apart.mean() + part_mean(parts, rgb_apart)),
    flow=weights.flow_variation * variation(flow)
    + weights.flow * jnp.abs(flow).mean(),
    mask=weights.mask_variation * variation(mask)
    + weights.keep * ((1 - mask) * (1 - parts)).mean(),
  )
