"""L_CNT: perceptual where VGG weights are given, a pyramid where not."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from absl import logging

from flaxheads.config import Config, LossConfig
from flaxheads.models import perceptual
from flaxheads.training import losses
from flaxheads.weights import store


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
    'vgg19': perceptual.vgg19(dtype=dtype),
    'vggface': perceptual.vggface(dtype=dtype),
  }


def perceptual_content(
  params: dict, weights: LossConfig, networks: dict
) -> ContentLoss:
  """The content loss of VGGs.

  Args:
    params: by name, 'vgg19' and 'vggface' or one of them.
    weights: of the terms.
    networks: perceptual.VGG by name.
  """

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
  networks = _networks(jnp.dtype(config.model.dtype))
  return perceptual_content(
    jax.eval_shape(
      lambda params: _rounded(params, config.model.dtype),
      {name: _shapes(network) for name, network in networks.items()},
    ),
    config.loss,
    networks,
  )


def _shapes(network):
  image = jnp.zeros((1, 32, 32, 3))
  return jax.eval_shape(network.init, jax.random.key(0), image)['params']


def _rounded(params, dtype):
  """Constants as the networks would round them in every step."""
  return jax.tree.map(lambda leaf: leaf.astype(dtype), params)


def load_networks(files, dtype) -> tuple[dict, dict]:
  """Those content networks that a config names files for.

  Args:
    files: dataclass with a path, or '', in fields named as the networks.
    dtype: of the arithmetic.

  Returns:
    perceptual.VGG and its parameters, in `dtype`, each by name.

  Raises:
    UserError: a file is missing, does not fit the network, or does not say
      what it wants to see.
  """
  networks, params = _networks(dtype), {}
  for name, path in dataclasses.asdict(files).items():
    if path:
      weights = store.load(path, name, like=_shapes(networks[name]))
      params[name] = _rounded(weights.params, dtype)
      networks[name] = networks[name].clone(convention=weights.convention)
  return networks, params


def build_content(config: Config) -> ContentLoss:
  """The content loss that `config.perceptual` asks for.

  The networks see frames as the weight files' metadata say.

  Raises:
    UserError: a weight file is missing, does not fit the network, or does not
      say what it wants to see.
  """
  networks, params = load_networks(
    config.perceptual, jnp.dtype(config.model.dtype)
  )
  if not params:
    logging.info(
      'content loss: Laplacian-pyramid L1 (no VGG weights given; the paper '
      'uses VGG19 and VGGFace: --config.perceptual.vgg19=FILE.safetensors)'
    )
    return pyramid_content(config.loss)
  logging.info('content loss: %s', ' and '.join(sorted(params)))
  return perceptual_content(params, config.loss, networks)
