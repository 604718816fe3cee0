"""X2Face's training (Wiles, Koepke and Zisserman 2018).

Stage one: the driven face should be the driver, of the same video, in L1.
Stage two, where VGGFace weights are given: it should keep the identity of the
source with any driver. The paper's identity network is a VGG of 11 layers with
its fully connected ones; ours is VGGFace's VGG16 to conv5_1, so the loss for
another person's driver compares conv5_1, not layers 6 and 7 (recalled).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax
from absl import logging

from flaxheads.baselines.x2face.config import X2FaceConfig
from flaxheads.baselines.x2face.network import build_network, init_variables
from flaxheads.data.batch import Batch
from flaxheads.errors import UserError
from flaxheads.training import parallel, preview
from flaxheads.training.content_loss import load_networks
from flaxheads.training.model_inputs import ModelInputs, prepare_inputs
from flaxheads.training.optimizers import apply_gradient, learning_rate_scale
from flaxheads.training.recipe import Recipe, replicate_step

_TINY = 1e-8


@flax.struct.dataclass
class State:
  """Everything that a step reads and writes.

  Attributes:
    step: int32, updates done.
    variables: {'params', 'batch_stats'} of both networks.
    optimizer: the momentum.
  """

  step: jax.Array
  variables: dict
  optimizer: optax.OptState


class Terms(NamedTuple):
  """Terms of the loss, weighted; their sum is minimised.

  Attributes:
    photometric: mean |x̂ - x| in [0, 1], each in its own range.
    same: identity loss, driven by oneself; 0 in the first stage.
    other: the same, driven by another one.
  """

  photometric: jax.Array
  same: jax.Array
  other: jax.Array


class Norms(NamedTuple):
  """Global norms: where a run diverges they are the first to tell."""

  gradient: jax.Array
  params: jax.Array  # after the update


class Metrics(NamedTuple):
  """Scalars of one step, averaged over the global batch."""

  x2face: Terms
  norms: Norms
  learning_rate_scale: jax.Array


def photometric_loss(fake, real):
  """L1 as the published code has it, of colours in [0, 1].

  Args:
    fake: [B, H, W, 3] in [-1, 1].
    real: the same.

  Returns:
    float32 scalar.
  """
  return jnp.abs(fake - real).mean() / 2


def identity_terms(features, photometric, config, mean: Callable) -> tuple:
  """The identity losses, each layer as strong as the photometric one.

  Args:
    features: of VGGFace, a list of [B, h, w, C] for the source, the face
      driven by oneself and that driven by another one.
    photometric: scalar.
    config: IdentityConfig.
    mean: over devices, of what the terms are scaled by.

  Returns:
    (same, other): scalars. Driven by oneself all layers but the first count;
    driven by another one the last, which knows least of the pose.
  """

  def as_strong(a, b, weight):
    term = jnp.abs(a - b).mean()
    scale = mean(photometric) / (mean(term) + _TINY)
    return weight * jax.lax.stop_gradient(scale) * term

  source, same, other = features
  by_layer = zip(same[1:], source[1:], strict=True)
  return (
    sum(as_strong(a, b, config.same) for a, b in by_layer),
    as_strong(other[-1], source[-1], config.other),
  )


def _others(target):
  """For each sample of the global batch the target of the next one."""
  all_targets = jnp.roll(parallel.all_gather(target), -1, 0)
  count = target.shape[0]
  first = parallel.index() * count
  return jax.lax.dynamic_slice_in_dim(all_targets, first, count)


def _loss(params, stats, sample: ModelInputs, identity, *, network):
  """The sum of the terms, the terms, and new statistics.

  Args:
    params: of both networks.
    stats: statistics of batch normalisation.
    sample: this device's part.
    identity: (source, x̂, x̂ of another driver, photometric) -> identity terms;
      None in the first stage, or where there is no identity network.
    network: X2Face.
  """

  def apply(stats, *args, method):
    variables = {'params': params, 'batch_stats': stats}
    return network.apply(
      variables, *args, True, method=method, mutable=['batch_stats']
    )

  target = sample.target_frame
  embedding, new = apply(stats, sample.support_frames, method='embed')
  fake, new = apply(
    {**stats, **new['batch_stats']}, embedding.face, target, method='drive'
  )
  new = {**stats, **new['batch_stats']}
  photometric, same, other = photometric_loss(fake, target), 0.0, 0.0
  if identity:
    driven, _ = apply(new, embedding.face, _others(target), method='drive')
    source = sample.support_frames[:, 0]
    same, other = identity(source, fake, driven, photometric)
  terms = Terms(photometric, jnp.asarray(same), jnp.asarray(other))
  return sum(terms), (terms, new)


def _step(state, batch: Batch, vgg_params, *, config, network, vgg):
  key = jax.random.fold_in(jax.random.key(config.seed), state.step)
  sample = prepare_inputs(batch, key, config)

  def identity(source, fake, driven, photometric):
    everything = jnp.concatenate([source, fake, driven])
    features = vgg.apply({'params': vgg_params['vggface']}, everything)
    split = [jnp.split(layer, 3) for layer in features]
    return identity_terms(
      zip(*split, strict=True), photometric, config.identity, parallel.mean
    )

  def gradients(params, stats, identity):
    loss = functools.partial(_loss, network=network)
    return jax.grad(loss, has_aux=True)(params, stats, sample, identity)

  params, stats = state.variables['params'], state.variables['batch_stats']
  scale = learning_rate_scale(
    state.step, config.optimizer, config.training.num_steps
  )
  if vgg_params:
    first = config.training.num_steps - config.identity.num_steps
    second = state.step >= first
    gradient, (terms, stats) = jax.lax.cond(
      second,
      lambda p, s: gradients(p, s, identity),
      lambda p, s: gradients(p, s, None),
      params,
      stats,
    )
    scale *= jnp.where(second, config.identity.learning_rate_scale, 1.0)
  else:
    gradient, (terms, stats) = gradients(params, stats, None)
  gradient = parallel.mean(gradient)
  params, optimizer = apply_gradient(
    params,
    state.optimizer,
    gradient,
    optax.trace(config.optimizer.momentum),
    scale * config.optimizer.learning_rate,
  )
  # The batch is normalised over all devices: the statistics are the same.
  variables = {'params': params, 'batch_stats': stats}
  norms = Norms(optax.tree.norm(gradient), optax.tree.norm(params))
  return (
    State(state.step + 1, variables, optimizer),
    # No collective may run beside those of the branches.
    Metrics(parallel.mean(terms), norms, scale),
  )


def _make_step(config: X2FaceConfig, vgg, mesh: parallel.Mesh):
  network = build_network(config.model, parallel.AXIS)
  step = functools.partial(_step, config=config, network=network, vgg=vgg)
  return replicate_step(step, mesh)


def _make_preview(config: X2FaceConfig, batch: Batch):
  network = build_network(config.model)

  def generate(variables, frames, landmark_images):
    del landmark_images  # it is driven by frames
    return network.apply(variables, frames[:, :-1], frames[:, -1]), {}

  make = preview.make_preview(generate, batch)
  return lambda state: make(state.variables)


def make_recipe(config: X2FaceConfig) -> Recipe:
  """What the loop trains.

  Raises:
    UserError: the file of the identity network cannot be used, or it is
      not said when to.
  """
  if bool(config.perceptual.vggface) != bool(config.identity.num_steps):
    raise UserError(
      'perceptual.vggface and identity.num_steps go together: the file of the '
      'identity network, and how many of the last steps it counts in'
    )
  networks, vgg_params = load_networks(
    config.perceptual, jnp.dtype(config.model.dtype)
  )
  if not vgg_params:
    logging.info(
      'X2Face: photometric loss alone (no VGGFace weights given; the paper '
      'adds an identity loss: --config.perceptual.vggface=FILE.safetensors '
      '--config.identity.num_steps=N)'
    )

  def init():
    variables = init_variables(config.model, jax.random.key(config.seed))
    momentum = optax.trace(config.optimizer.momentum)
    return State(
      jnp.zeros((), jnp.int32), variables, momentum.init(variables['params'])
    )

  return Recipe(
    vgg_params,
    lambda _, mesh: parallel.describe(init, mesh, parallel.REPLICATED),
    lambda _, mesh: parallel.build(init, mesh, parallel.REPLICATED),
    functools.partial(_make_step, config, networks['vggface']),
    functools.partial(_make_preview, config),
    {'photometric': 'x2face/photometric'},
  )
