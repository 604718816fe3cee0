"""One meta-training step: a pure function of state, batch and content params.

One update of E, G and P, then `discriminator_updates` of D, w0, b and the
rows of W (Zakharov et al. 2019, section 3.3).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from flaxheads.config import Config, OptimizerConfig
from flaxheads.data.augment import augment
from flaxheads.data.pipeline import Batch
from flaxheads.landmarks.draw import draw_landmarks
from flaxheads.models import spectral
from flaxheads.training import adversarial, identity_table, losses, parallel
from flaxheads.training import networks as nets
from flaxheads.training.content import ContentLoss
from flaxheads.training.networks import Networks
from flaxheads.training.state import (
  STATE_SPECS,
  TrainState,
  adam,
  generator_side,
)


class StepMetrics(NamedTuple):
  """Scalars of one step, averaged over the global batch."""

  generator: adversarial.GeneratorTerms
  discriminator: adversarial.DiscriminatorTerms
  learning_rate_scale: jax.Array


class Sample(NamedTuple):
  """A batch ready for the networks, this device's part.

  Attributes:
    support_frames: [b, K, H, W, 3] in [-1, 1].
    support_landmarks: [b, K, H, W, 3] in [-1, 1].
    target_frame: x, [b, H, W, 3].
    target_landmarks: y, [b, H, W, 3].
    video_index: int32 [b].
  """

  support_frames: jax.Array
  support_landmarks: jax.Array
  target_frame: jax.Array
  target_landmarks: jax.Array
  video_index: jax.Array


def to_float(frames):
  """uint8 to float32 in [-1, 1]."""
  return frames.astype(jnp.float32) / 127.5 - 1


def to_uint8(frames):
  """Float in [-1, 1] to uint8."""
  return jnp.clip(jnp.round((frames + 1) * 127.5), 0, 255).astype(jnp.uint8)


def prepare_sample(batch: Batch, key: jax.Array, config: Config) -> Sample:
  """Augments frames and points together and draws the landmark images.

  Args:
    batch: this device's part; the last of the K+1 frames is the target.
    key: of this step, the same on all devices.
    config: the experiment.

  Returns:
    Sample. What happens to a sample depends on its place in the global
    batch, not on the number of devices.
  """
  b = batch.frames.shape[0]
  place = parallel.index() * b + jnp.arange(b)
  keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(place)
  frames, points = augment(
    keys, to_float(batch.frames), batch.points, config.augment
  )
  pictures = draw_landmarks(points, config.model.image_size)
  return Sample(
    frames[:, :-1],
    pictures[:, :-1],
    frames[:, -1],
    pictures[:, -1],
    batch.video_index,
  )


def learning_rate_scale(step, config: OptimizerConfig, num_steps: int):
  """Linear warm-up, then 1, then a linear fall over the last steps."""
  step = step.astype(jnp.float32)
  rise = (step + 1) / max(config.warmup_steps, 1)
  fall = (num_steps - step) / max(config.decay_steps, 1)
  return jnp.clip(jnp.minimum(rise, fall), 0.0, 1.0)


def descend(params, optimizer_state, gradient, optimizer, learning_rate):
  """One update of `params`; `optimizer` leaves the learning rate to us."""
  updates, optimizer_state = optimizer.update(gradient, optimizer_state)
  updates = jax.tree.map(lambda u: -learning_rate * u, updates)
  return optax.apply_updates(params, updates), optimizer_state


def _players(networks: Networks, vectors: dict, sample: Sample):
  """Both networks' forward passes, written once for all updates."""

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

  def discriminate(trained, frames):
    normal = spectral.normalize(trained['params'], vectors['discriminator'])
    return nets.discriminate(
      networks, normal, frames, sample.target_landmarks, trained['rows']
    )

  return generate, discriminate


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
  sample = prepare_sample(batch, key, config)
  optimizer = adam(config.optimizer)
  scale = learning_rate_scale(
    state.step, config.optimizer, config.training.num_steps
  )
  vectors = {
    name: spectral.power_iteration(state.params[name], state.spectral[name])
    for name in state.params
  }
  generate, discriminate = _players(networks, vectors, sample)
  rows = identity_table.gather(state.table, sample.video_index)

  # 1. One pass of both networks.
  game = adversarial.gradients(
    generator_side(state.params),
    {'params': state.params['discriminator'], 'rows': rows},
    sample.target_frame,
    generate=generate,
    discriminate=discriminate,
    content=lambda fake, real: content(content_params, fake, real),
    match=lambda embedding: losses.match_loss(embedding, rows),
    weights=config.loss,
  )

  # 2. E, G and P.
  generator_params, generator_optimizer = descend(
    generator_side(state.params),
    state.generator_optimizer,
    parallel.mean(game.generator),
    optimizer,
    scale * config.optimizer.generator_learning_rate,
  )

  # 3. D, w0, b and the rows of W, on the same x̂.
  rate = scale * config.optimizer.discriminator_learning_rate
  params = state.params['discriminator']
  discriminator_optimizer, table = state.discriminator_optimizer, state.table
  gradient = game.discriminator
  for update in range(config.training.discriminator_updates):
    if update:
      rows = identity_table.gather(table, sample.video_index)
      gradient = adversarial.discriminator_gradients(
        {'params': params, 'rows': rows},
        sample.target_frame,
        game.fake,
        discriminate=discriminate,
      )
    params, discriminator_optimizer = descend(
      params,
      discriminator_optimizer,
      parallel.mean(gradient['params']),
      optimizer,
      rate,
    )
    table = identity_table.update(
      table,
      sample.video_index,
      gradient['rows'],
      learning_rate=rate,
      b1=config.optimizer.b1,
      b2=config.optimizer.b2,
      epsilon=config.optimizer.epsilon,
    )

  # 4. The average that evaluation uses.
  decay = config.training.ema_decay
  decay = jnp.minimum(decay, (1.0 + state.step) / (10.0 + state.step))
  ema = jax.tree.map(
    lambda a, p: decay * a + (1 - decay) * p, state.ema, generator_params
  )
  metrics = StepMetrics(game.generator_terms, game.discriminator_terms, scale)
  return (
    TrainState(
      step=state.step + 1,
      params={**generator_params, 'discriminator': params},
      spectral=vectors,
      generator_optimizer=generator_optimizer,
      discriminator_optimizer=discriminator_optimizer,
      ema=ema,
      table=table,
    ),
    parallel.mean(metrics),
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
