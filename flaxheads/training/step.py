"""One meta-training step: a pure function of state, batch and content params.

One generator step on E, G and P, then `discriminator_updates` discriminator
steps on D, w0, b and the rows of W (Zakharov et al. 2019, section 3.3).
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from flaxheads.config import Config
from flaxheads.data.batch import Batch
from flaxheads.models import spectral
from flaxheads.networks import Networks
from flaxheads.training import (
  identity_table,
  objectives,
  parallel,
  separation,
)
from flaxheads.training.content_loss import ContentLoss
from flaxheads.training.model_inputs import prepare_inputs
from flaxheads.training.optimizers import (
  adam,
  apply_gradient,
  learning_rate_scale,
  moving_average,
  update_discriminator,
)
from flaxheads.training.passes import SharedPass, later_pass, shared_pass
from flaxheads.training.separation import Separation
from flaxheads.training.state import (
  STATE_SPECS,
  TrainState,
  embedder_and_generator,
)


class Norms(NamedTuple):
  """Global norms: where a run diverges they are the first to tell."""

  generator_gradient: jax.Array
  discriminator_gradient: jax.Array
  rows_gradient: jax.Array
  params: jax.Array  # after the update: what a checkpoint would keep


class StepMetrics(NamedTuple):
  """Scalars of one step, averaged over the global batch."""

  generator: objectives.GeneratorTerms
  discriminator: objectives.DiscriminatorTerms
  norms: Norms
  separation: Separation
  learning_rate_scale: jax.Array


class _DiscriminatorSteps(NamedTuple):
  """What D's updates of one training step leave, and their last gradients."""

  params: dict
  optimizer: optax.OptState
  table: identity_table.IdentityTable
  gradient: dict
  row_gradient: jax.Array


def _discriminator_steps(
  config, networks, state, inputs, shared: SharedPass, scale
) -> _DiscriminatorSteps:
  """Updates D, w0, b and the rows of W, always on the same x̂."""
  num_updates = config.training.discriminator_updates
  params, table = state.params['discriminator'], state.table
  optimizer_state = state.discriminator_optimizer
  gradient, row_gradient = shared.discriminator, shared.rows_gradient
  for update in range(num_updates):
    if update:
      rows = identity_table.gather(table, inputs.video_index)
      gradient, row_gradient = later_pass(
        config, networks, state.spectral, params, inputs, rows, shared.fake
      )
    params, optimizer_state, table, gradient = update_discriminator(
      config,
      params,
      optimizer_state,
      table,
      (gradient, row_gradient),
      inputs.video_index,
      state.step * num_updates + update + 1,
      scale,
      shared.rows,
    )
  return _DiscriminatorSteps(
    params, optimizer_state, table, gradient, row_gradient
  )


def train_step(
  state: TrainState,
  batch: Batch,
  content_params: dict,
  *,
  config: Config,
  networks: Networks,
  content: Callable,
) -> tuple[TrainState, StepMetrics]:
  """The per-device step; see `make_train_step`."""
  key = jax.random.fold_in(jax.random.key(config.seed), state.step)
  inputs = prepare_inputs(batch, key, config)
  scale = learning_rate_scale(
    state.step, config.optimizer, config.training.num_steps
  )
  vectors = state.spectral  # for all passes; the next step has the advanced
  rows = identity_table.gather(state.table, inputs.video_index)

  # 1. One pass of both networks.
  see = functools.partial(content, content_params)
  shared = shared_pass(
    config, networks, vectors, state.params, inputs, rows, see
  )

  # 2. The generator step: E, G and P.
  generator_gradient = parallel.mean(shared.generator)
  generator_params, generator_optimizer = apply_gradient(
    embedder_and_generator(state.params),
    state.generator_optimizer,
    generator_gradient,
    adam(config.optimizer),
    scale * config.optimizer.generator_learning_rate,
  )

  # 3. The discriminator steps: D, w0, b and the rows of W.
  after = _discriminator_steps(config, networks, state, inputs, shared, scale)

  # 4. The average that evaluation uses, the power iteration, the metrics.
  new_state = TrainState(
    step=state.step + 1,
    params={**generator_params, 'discriminator': after.params},
    spectral={
      name: spectral.power_iteration(state.params[name], vectors[name])
      for name in vectors
    },
    generator_optimizer=generator_optimizer,
    discriminator_optimizer=after.optimizer,
    ema=moving_average(
      state.ema, generator_params, config.training.ema_decay, state.step
    ),
    table=after.table,
  )
  given = shared.vectors, shared.embedding, shared.rows, inputs.video_index
  norms = _norms(generator_gradient, after, new_state.params)
  metrics = StepMetrics(*shared.terms, norms, separation.measure(*given), scale)
  return new_state, parallel.mean(metrics)


def _norms(generator_gradient, after: _DiscriminatorSteps, params) -> Norms:
  # Each device has the rows of its own samples, and the mean over these.
  squares = parallel.mean(jnp.sum(after.row_gradient**2)) / parallel.count()
  return Norms(
    optax.tree.norm(generator_gradient),
    optax.tree.norm(after.gradient),
    jnp.sqrt(squares),
    optax.tree.norm(params),
  )


def make_train_step(
  config: Config, networks: Networks, content: ContentLoss, mesh: parallel.Mesh
) -> Callable:
  """Maps the step over the devices of the mesh.

  Returns:
    (state, batch, content_params) -> (state, StepMetrics), with the state
    donated; the batch's leading dimension is split over the devices.
  """

  def step(state, batch, content_params):
    return train_step(
      state,
      batch,
      content_params,
      config=config,
      networks=networks,
      content=content.apply,
    )

  return parallel.pmap(
    step,
    mesh,
    in_specs=(STATE_SPECS, parallel.SHARDED, parallel.REPLICATED),
    out_specs=(STATE_SPECS, parallel.REPLICATED),
    donate_argnums=(0,),
  )
