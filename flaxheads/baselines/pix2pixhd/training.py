"""Pix2pixHD's training (Wang et al. 2018): landmark images to frames.

The generator is not conditioned on a person. Zakharov et al. 2019 train it on
the whole dataset and then fine-tune it on T frames of a person (recalled).
"""

import functools
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from flaxheads.baselines.pix2pixhd.config import Pix2pixHDConfig
from flaxheads.baselines.pix2pixhd.losses import (
  DiscriminatorTerms,
  GeneratorTerms,
  build_content,
  gradients,
)
from flaxheads.baselines.pix2pixhd.networks import (
  Networks,
  build_networks,
  init_params,
)
from flaxheads.data.batch import Batch
from flaxheads.training import parallel, preview
from flaxheads.training.content_loss import ContentLoss
from flaxheads.training.model_inputs import prepare_inputs
from flaxheads.training.optimizers import (
  adam,
  apply_gradient,
  learning_rate_scale,
)
from flaxheads.training.recipe import Recipe, replicate_step


@flax.struct.dataclass
class State:
  """Everything that a step reads and writes.

  Attributes:
    step: int32, updates done.
    variables: parameters, {'generator', 'discriminator'}.
    optimizers: Adam's state, same keys.
  """

  step: jax.Array
  variables: dict
  optimizers: dict


class Norms(NamedTuple):
  """Global norms: where a run diverges they are the first to tell."""

  generator_gradient: jax.Array
  discriminator_gradient: jax.Array
  params: jax.Array  # after the update


class Metrics(NamedTuple):
  """Scalars of one step, averaged over the global batch."""

  generator: GeneratorTerms
  discriminator: DiscriminatorTerms
  norms: Norms
  learning_rate_scale: jax.Array


def init_state(config: Pix2pixHDConfig, params: dict) -> State:
  """The state before the first step from these parameters."""
  optimizer = adam(config.optimizer)
  return State(
    jnp.zeros((), jnp.int32),
    params,
    {name: optimizer.init(tree) for name, tree in params.items()},
  )


def update(
  state: State, gradient: dict, config: Pix2pixHDConfig, scale=1.0
) -> State:
  """One update of G and D at `scale` times the configured rates."""
  optimizer, rates = adam(config.optimizer), config.optimizer
  new = {
    name: apply_gradient(
      state.variables[name],
      state.optimizers[name],
      gradient[name],
      optimizer,
      scale * getattr(rates, f'{name}_learning_rate'),
    )
    for name in state.variables
  }
  return State(
    state.step + 1,
    {name: params for name, (params, _) in new.items()},
    {name: optimizer for name, (_, optimizer) in new.items()},
  )


def _step(state, batch: Batch, content_params, *, config, networks, content):
  key = jax.random.fold_in(jax.random.key(config.seed), state.step)
  sample = prepare_inputs(batch, key, config)
  found = gradients(
    state.variables,
    sample.target_frame,
    sample.target_landmarks,
    networks=networks,
    content=functools.partial(content, content_params),
    weights=config.loss,
  )
  gradient = parallel.mean(found.params)
  scale = learning_rate_scale(
    state.step, config.optimizer, config.training.num_steps
  )
  state = update(state, gradient, config, scale)
  norms = Norms(
    optax.tree.norm(gradient['generator']),
    optax.tree.norm(gradient['discriminator']),
    optax.tree.norm(state.variables),
  )
  terms = found.generator_terms, found.discriminator_terms
  return state, parallel.mean(Metrics(*terms, norms, scale))


def _make_step(config, networks, content: ContentLoss, mesh: parallel.Mesh):
  step = functools.partial(
    _step, config=config, networks=networks, content=content.apply
  )
  return replicate_step(step, mesh)


def _make_preview(networks: Networks, batch: Batch):
  def generate(params, frames, landmark_images):
    del frames  # it is not conditioned on a person
    fake = networks.generator.apply({'params': params}, landmark_images[:, -1])
    return fake, {}

  make = preview.make_preview(generate, batch)
  return lambda state: make(state.variables['generator'])


def make_recipe(config: Pix2pixHDConfig) -> Recipe:
  """What the loop trains.

  Raises:
    UserError: the file of VGG19 cannot be used.
  """
  networks, content = build_networks(config.model), build_content(config)

  def init():
    key = jax.random.key(config.seed)
    return init_state(config, init_params(config.model, key))

  return Recipe(
    content.params,
    lambda _, mesh: parallel.describe(init, mesh, parallel.REPLICATED),
    lambda _, mesh: parallel.build(init, mesh, parallel.REPLICATED),
    functools.partial(_make_step, config, networks, content),
    functools.partial(_make_preview, networks),
    {
      'content': 'generator/content',
      'least_squares': 'discriminator/least_squares',
    },
    knows_people=False,
  )
