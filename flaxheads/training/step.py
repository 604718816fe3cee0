"""One meta-training step: a pure function of state, batch and content params.

One update of E, G and P, then `discriminator_updates` of D, w0, b and the
rows of W (Zakharov et al. 2019, section 3.3).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from flaxheads import networks as nets
from flaxheads.config import Config, ScheduleConfig
from flaxheads.data.batch import Batch
from flaxheads.models import spectral
from flaxheads.networks import Networks
from flaxheads.training import identity_table, losses, objectives, parallel
from flaxheads.training.content_loss import ContentLoss
from flaxheads.training.gradient_accumulation import accumulate
from flaxheads.training.model_inputs import ModelInputs, prepare_inputs
from flaxheads.training.state import (
  STATE_SPECS,
  TrainState,
  adam,
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
  learning_rate_scale: jax.Array


def learning_rate_scale(step, config: ScheduleConfig, num_steps: int):
  """Linear warm-up, then 1, then a linear fall over the last steps."""
  step = step.astype(jnp.float32)
  scale = jnp.minimum((step + 1) / max(config.warmup_steps, 1), 1.0)
  if not config.decay_steps:
    return scale  # free of num_steps: a longer run needs no compilation
  fall = (num_steps - step) / config.decay_steps
  return jnp.clip(jnp.minimum(scale, fall), 0.0, 1.0)


def descend(params, optimizer_state, gradient, optimizer, learning_rate):
  """One update of `params`; `optimizer` leaves the learning rate to us."""
  updates, optimizer_state = optimizer.update(gradient, optimizer_state)
  updates = jax.tree.map(lambda u: -learning_rate * u, updates)
  return optax.apply_updates(params, updates), optimizer_state


def _players(
  networks: Networks, vectors: dict, sample: ModelInputs, remat: bool
) -> tuple[Callable, Callable]:
  """Both networks' forward passes, written once for all updates."""
  keep_blocks = nets.recompute_blocks if remat else lambda function: function

  @keep_blocks
  def generate(params):
    normal = {k: spectral.normalize(params[k], vectors[k]) for k in params}
    embedding = nets.embed_people(
      networks,
      normal['embedder'],
      sample.support_frames,
      sample.support_landmarks,
    )
    fake = nets.generate(
      networks,
      normal['generator'],
      sample.target_landmarks,
      embedding=embedding,
    )
    return fake, embedding

  @keep_blocks
  def discriminate(trained, frames):
    normal = spectral.normalize(trained['params'], vectors['discriminator'])
    return nets.discriminate(
      networks, normal, frames, sample.target_landmarks, trained['rows']
    )

  return generate, discriminate


class _First(NamedTuple):
  """What one pass of both networks over this device's samples yields."""

  generator: dict  # gradients
  discriminator: dict
  terms: tuple[objectives.GeneratorTerms, objectives.DiscriminatorTerms]
  rows: jax.Array  # [b, N], gradient of the rows of W
  fake: jax.Array  # x̂, [b, H, W, 3]


def _first_pass(
  config, networks, vectors, params, sample, rows, content
) -> _First:
  def play(part):
    sample, rows = part
    generate, discriminate = _players(
      networks, vectors, sample, config.training.remat
    )
    game = objectives.gradients(
      embedder_and_generator(params),
      {'params': params['discriminator'], 'rows': rows},
      sample.target_frame,
      generate=generate,
      discriminate=discriminate,
      content=content,
      match=lambda embedding: losses.match_loss(embedding, rows),
      weights=config.loss,
    )
    averaged = (
      game.generator,
      game.discriminator['params'],
      (game.generator_terms, game.discriminator_terms),
    )
    return averaged, (game.discriminator['rows'], game.fake)

  averaged, (rows, fake) = accumulate(
    play, (sample, rows), config.training.accumulation_steps
  )
  # A row belongs to one sample: its share of the mean over all parts.
  return _First(*averaged, rows / config.training.accumulation_steps, fake)


def _later_pass(config, networks, vectors, params, sample, rows, fake):
  """Gradients of D alone and of the rows, on the same x̂."""

  def play(part):
    sample, rows, fake = part
    _, discriminate = _players(networks, vectors, sample, config.training.remat)
    gradient = objectives.discriminator_gradients(
      {'params': params, 'rows': rows},
      sample.target_frame,
      fake,
      discriminate=discriminate,
    )
    return gradient['params'], gradient['rows']

  gradient, rows = accumulate(
    play, (sample, rows, fake), config.training.accumulation_steps
  )
  return gradient, rows / config.training.accumulation_steps


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
  sample = prepare_inputs(batch, key, config)
  optimizer = adam(config.optimizer)
  scale = learning_rate_scale(
    state.step, config.optimizer, config.training.num_steps
  )
  vectors = state.spectral  # for all passes; the next step has the advanced
  rows = identity_table.gather(state.table, sample.video_index)

  # 1. One pass of both networks.
  first = _first_pass(
    config,
    networks,
    vectors,
    state.params,
    sample,
    rows,
    lambda fake, real: content(content_params, fake, real),
  )

  # 2. E, G and P.
  generator_gradient = parallel.mean(first.generator)
  generator_params, generator_optimizer = descend(
    embedder_and_generator(state.params),
    state.generator_optimizer,
    generator_gradient,
    optimizer,
    scale * config.optimizer.generator_learning_rate,
  )

  # 3. D, w0, b and the rows of W, on the same x̂.
  rate = scale * config.optimizer.discriminator_learning_rate
  params = state.params['discriminator']
  discriminator_optimizer, table = state.discriminator_optimizer, state.table
  gradient, row_gradient = first.discriminator, first.rows
  for update in range(config.training.discriminator_updates):
    if update:
      rows = identity_table.gather(table, sample.video_index)
      gradient, row_gradient = _later_pass(
        config, networks, vectors, params, sample, rows, first.fake
      )
    discriminator_gradient = parallel.mean(gradient)
    params, discriminator_optimizer = descend(
      params,
      discriminator_optimizer,
      discriminator_gradient,
      optimizer,
      rate,
    )
    table = identity_table.update(
      table,
      sample.video_index,
      row_gradient,
      learning_rate=rate,
      b1=config.optimizer.b1,
      b2=config.optimizer.b2,
      epsilon=config.optimizer.epsilon,
    )

  # 4. The average that evaluation uses.
  decay = config.training.ema_decay
  decay = jnp.minimum(decay, (1.0 + state.step) / (10.0 + state.step))
  ema = optax.incremental_update(generator_params, state.ema, 1 - decay)
  new_params = {**generator_params, 'discriminator': params}
  norms = Norms(
    optax.tree.norm(generator_gradient),
    optax.tree.norm(discriminator_gradient),
    # Each device has the rows of its own samples, and the mean over these.
    jnp.sqrt(parallel.mean(jnp.sum(row_gradient**2)) / parallel.count()),
    optax.tree.norm(new_params),
  )
  return (
    TrainState(
      step=state.step + 1,
      params=new_params,
      spectral={
        name: spectral.power_iteration(state.params[name], vectors[name])
        for name in vectors
      },
      generator_optimizer=generator_optimizer,
      discriminator_optimizer=discriminator_optimizer,
      ema=ema,
      table=table,
    ),
    parallel.mean(StepMetrics(*first.terms, norms, scale)),
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
