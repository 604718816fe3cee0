"""L_CNT: perceptual where VGG weights are given, a pyramid where not."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from absl import logging

from flaxheads.config import Config, LossConfig
from flaxheads.models import perceptual
from flaxheads.training import losses
from flaxheads.weights import tensors


class ContentLoss(NamedTuple):
  """Parameters of the content networks and the loss as a pure function.

  Attributes:
    params: {'vgg19': ..., 'vggface': ...}, or {} for the pyramid. They are
      constants, passed to the step as an argument.
    apply: (params, x̂, x) -> float32 scalar, weighted.
  """

  params: dict
  apply: Callable


def _networks(dtype):
  return {
    'vgg19': perceptual.vgg19(dtype),
    'vggface': perceptual.vggface(dtype),
  }


def _perceptual(params, weights: LossConfig, dtype) -> ContentLoss:
  networks = _networks(dtype)

  def apply(params, fake, real):
    total = 0.0
    for name in params:
      variables = {'params': params[name]}
      total += getattr(weights, name) * losses.features_loss(
        networks[name].apply(variables, fake),
        networks[name].apply(variables, jax.lax.stop_gradient(real)),
      )
    return total

  return ContentLoss(params, apply)


def pyramid_content(weights: LossConfig) -> ContentLoss:
  """The content loss without any network."""
  return ContentLoss(
    {},
    lambda params, fake, real: (
      weights.pyramid * losses.pyramid_loss(fake, real)
    ),
  )


def shapes_of_content(config: Config) -> ContentLoss:
  """Both VGGs without weights, shapes alone: for counting cost."""
  dtype = jnp.dtype(config.model.dtype)
  image = jnp.zeros((1, 32, 32, 3))
  params = {
    name: jax.eval_shape(network.init, jax.random.key(0), image)['params']
    for name, network in _networks(dtype).items()
  }
  return _perceptual(params, config.loss, dtype)


def build_content(config: Config) -> ContentLoss:
  """The content loss that `config.perceptual` asks for.

  Raises:
    UserError: a weight file is missing or does not fit the network.
  """
  files = {
    name: getattr(config.perceptual, name)
    for name in ('vgg19', 'vggface')
    if getattr(config.perceptual, name)
  }
  if not files:
    logging.info(
      'content loss: Laplacian-pyramid L1 (no VGG weights given; the paper '
      'uses VGG19 and VGGFace: --config.perceptual.vgg19=FILE.safetensors)'
    )
    return pyramid_content(config.loss)
  dtype = jnp.dtype(config.model.dtype)
  networks = _networks(dtype)
  image = jnp.zeros((1, 32, 32, 3))
  params = {}
  for name, path in files.items():
    shapes = jax.eval_shape(networks[name].init, jax.random.key(0), image)
    params[name] = tensors.load_tree(path, like=shapes['params'])
  logging.info('content loss: %s', ' and '.join(sorted(files)))
  return _perceptual(params, config.loss, dtype)
