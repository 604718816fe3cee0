"""Few-shot fine-tuning: psi', psi, theta, w' and b on T frames of one person.

Zakharov et al. 2019, section 3.4: psi' starts at P ê and w' at w0 + ê.
"""

import dataclasses
import functools
import json
from collections.abc import Callable
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from flaxheads import config as configs
from flaxheads.config import Config, FinetuneConfig
from flaxheads.errors import UserError
from flaxheads.fewshot.model import Model, fold
from flaxheads.fewshot.moves import is_moved, move
from flaxheads.fewshot.person import (
  Person,
  embed_person,
  feed_forward,
  without_projection,
)
from flaxheads.landmarks.draw import draw_landmarks
from flaxheads.models import spectral
from flaxheads.training import adversarial
from flaxheads.training import networks as nets
from flaxheads.training.content import build_content
from flaxheads.training.sample import to_float
from flaxheads.training.state import adam
from flaxheads.training.step import descend


@flax.struct.dataclass
class FinetuneState:
  """What a fine-tuning step reads and writes.

  Attributes:
    generator: {'generator': parameters of G without P, 'adain_params': psi',
      float32 [M]}.
    discriminator: {'params': parameters of D, 'rows': w', float32 [N]}.
    vectors: of spectral normalisation, {'generator', 'discriminator'}.
    generator_optimizer: Adam's state for psi' and psi.
    discriminator_optimizer: Adam's state for theta, w' and b.
  """

  generator: dict
  discriminator: dict
  vectors: dict
  generator_optimizer: optax.OptState
  discriminator_optimizer: optax.OptState


class Progress(NamedTuple):
  """One look at a fine-tuning under way.

  Attributes:
    step: steps done.
    num_steps: steps planned.
    loss: content loss on the held-out frames; on the frames themselves where
      there is only one.
    best_step: the step with the lowest loss so far.
  """

  step: int
  num_steps: int
  loss: float
  best_step: int


def init_finetuning(model: Model, frames, points) -> FinetuneState:
  """The state before the first step.

  Args:
    model: Model.
    frames: uint8 [T, S, S, 3].
    points: float32 [T, 68, 2] in pixels.
  """
  embedding, adain_params = embed_person(model, frames, points)
  generator = {
    'generator': without_projection(model.params['generator']),
    'adain_params': adain_params,
  }
  params = jax.tree.map(jnp.asarray, model.params['discriminator'])
  discriminator = {'params': params, 'rows': params['w0'] + embedding}
  vectors = {
    'generator': without_projection(model.spectral['generator']),
    'discriminator': model.spectral['discriminator'],
  }
  optimizer = adam(model.experiment.optimizer)
  return FinetuneState(
    generator,
    discriminator,
    vectors,
    optimizer.init(generator),
    optimizer.init(discriminator),
  )


def _generate(networks, vectors, params, pictures):
  normal = spectral.normalize(params['generator'], vectors['generator'])
  psi = params['adain_params'][None].repeat(pictures.shape[0], 0)
  return nets.generate(networks, normal, pictures, psi)


def finetune_step(
  state: FinetuneState,
  frames: jax.Array,
  pictures: jax.Array,
  content_params: dict,
  *,
  experiment: Config,
  networks: nets.Networks,
  content: Callable,
) -> tuple[FinetuneState, adversarial.GeneratorTerms]:
  """One update of G's side and as many of D's as in meta-training.

  Args:
    state: FinetuneState.
    frames: x, [B, H, W, 3] in [-1, 1].
    pictures: y, [B, H, W, 3] in [-1, 1].
    content_params: of the content networks.
    experiment: the config of the model, with its fine-tuning rates.
    networks: Networks.
    content: from `build_content`.
  """
  rates, optimizer = experiment.finetune, adam(experiment.optimizer)
  vectors = {
    'generator': spectral.power_iteration(
      state.generator['generator'], state.vectors['generator']
    ),
    'discriminator': spectral.power_iteration(
      state.discriminator['params'], state.vectors['discriminator']
    ),
  }

  def discriminate(trained, frames):
    normal = spectral.normalize(trained['params'], vectors['discriminator'])
    rows = trained['rows'][None].repeat(frames.shape[0], 0)
    return nets.discriminate(
      networks, normal, frames, pictures, rows, add_w0=False
    )

  game = adversarial.gradients(
    state.generator,
    state.discriminator,
    frames,
    generate=lambda p: (_generate(networks, vectors, p, pictures), 0.0),
    discriminate=discriminate,
    content=lambda fake, real: content(content_params, fake, real),
    match=lambda _: 0.0,  # no L_MCH: the embedding is fixed
    weights=experiment.loss,
  )
  generator, generator_optimizer = descend(
    state.generator,
    state.generator_optimizer,
    game.generator,
    optimizer,
    rates.generator_learning_rate,
  )
  discriminator, discriminator_optimizer = (
    state.discriminator,
    state.discriminator_optimizer,
  )
  gradient = game.discriminator
  for update in range(experiment.training.discriminator_updates):
    if update:
      gradient = adversarial.discriminator_gradients(
        discriminator, frames, game.fake, discriminate=discriminate
      )
    discriminator, discriminator_optimizer = descend(
      discriminator,
      discriminator_optimizer,
      gradient,
      optimizer,
      rates.discriminator_learning_rate,
    )
  new_state = FinetuneState(
    generator,
    discriminator,
    vectors,
    generator_optimizer,
    discriminator_optimizer,
  )
  return new_state, game.generator_terms


class _Programs(NamedTuple):
  step: Callable  # (state, frames, pictures) -> (state, terms)
  held_out_loss: Callable  # (state, frames, pictures) -> scalar


@functools.lru_cache(maxsize=8)
def _programs(experiment_json: str) -> _Programs:
  """Jitted functions, kept for the next person of the same experiment."""
  experiment = configs.from_dict(json.loads(experiment_json))
  networks = nets.build_networks(experiment.model)
  content = build_content(experiment)
  step = jax.jit(
    functools.partial(
      finetune_step,
      experiment=experiment,
      networks=networks,
      content=content.apply,
    )
  )

  @jax.jit
  def held_out_loss(state, content_params, frames, pictures):
    fake = _generate(networks, state.vectors, state.generator, pictures)
    return content.apply(content_params, fake, frames)

  return _Programs(
    lambda state, frames, pictures: step(
      state, frames, pictures, content.params
    ),
    lambda state, frames, pictures: held_out_loss(
      state, content.params, frames, pictures
    ),
  )


def _num_held_out(num_frames: int, fraction: float) -> int:
  if num_frames == 1 or not fraction:
    return 0
  return max(1, round(num_frames * fraction))


def _hold_out(num_frames: int, count: int, rng):
  """Indices of the frames to train on, and of those to look at."""
  order = rng.permutation(num_frames)
  return order[count:], order[:count] if count else order


def _epochs(indices, batch_size: int, rng):
  """Endless batches; every index once before any comes again."""
  left = np.array([], indices.dtype)
  while True:
    while len(left) < batch_size:
      left = np.concatenate([left, rng.permutation(indices)])
    yield left[:batch_size]
    left = left[batch_size:]


def num_finetuning_steps(num_frames: int, config: FinetuneConfig) -> int:
  """Steps planned for T frames, of which some are held out."""
  held_out = _num_held_out(num_frames, config.holdout_fraction)
  trained = num_frames - held_out
  steps = config.num_epochs * -(-trained // config.batch_size)
  return min(max(steps, config.min_steps), config.max_steps)


def finetune(
  model: Model,
  frames,
  points,
  config: FinetuneConfig | None = None,
  seed: int = 0,
  on_progress: Callable[[Progress], None] | None = None,
) -> Person:
  """Fine-tunes a model on T frames of one person.

  With T > 1 an eighth of the frames is held out (ê is the mean over all T),
  and the parameters that draw these best are kept; fine-tuning ends early when
  they improve no more. With nothing held out the last parameters are kept.

  Args:
    model: Model.
    frames: uint8 [T, S, S, 3].
    points: float32 [T, 68, 2] in pixels.
    config: rates and lengths; None: the model's own.
    seed: of the order of frames and of those held out.
    on_progress: called at every look at the held-out frames.

  Returns:
    Person. `info['steps']` is the step whose parameters were kept.

  Raises:
    UserError: a loss became infinite or undefined, or the model was trained
      without L_MCH.
  """
  if not model.experiment.loss.match:
    raise UserError(
      'model: trained without L_MCH (loss.match=0), so that w0 + ê means '
      'nothing to D and it cannot be fine-tuned; use it feed-forward'
    )
  config = config or model.experiment.finetune
  experiment = dataclasses.replace(model.experiment, finetune=config)
  programs = _programs(json.dumps(dataclasses.asdict(experiment)))
  state = init_finetuning(model, frames, points)
  rng = np.random.default_rng(seed)
  held_out = _num_held_out(len(frames), config.holdout_fraction)
  trained, looked_at = _hold_out(len(frames), held_out, rng)
  x = np.asarray(to_float(jnp.asarray(frames)))
  y = np.asarray(draw_landmarks(jnp.asarray(points), model.config.image_size))
  num_steps = num_finetuning_steps(len(frames), config)
  batches = _epochs(trained, min(config.batch_size, len(trained)), rng)

  def look():
    return float(programs.held_out_loss(state, x[looked_at], y[looked_at]))

  best, best_loss, best_step = state, look(), 0
  for step in range(1, num_steps + 1):
    batch = next(batches)
    given = x[batch], y[batch]
    if is_moved(step, config.move_share):
      key = jax.random.fold_in(jax.random.key(seed), step)
      given = move(x[batch], points[batch], key)
    state, _ = programs.step(state, *given)
    if step % config.check_every and step != num_steps:
      continue
    loss = look()
    if not np.isfinite(loss):
      raise UserError(
        f'fine-tuning: the loss is {loss} at step {step}; lower '
        '--finetune.generator_learning_rate'
      )
    if loss < best_loss or not held_out:
      best, best_loss, best_step = state, loss, step
    if on_progress:
      on_progress(Progress(step, num_steps, loss, best_step))
    if step - best_step >= config.patience * config.check_every:
      break
  return _make_person(model, frames, points, best, best_step, best_loss)


def _make_person(model, frames, points, state, step, loss) -> Person:
  person = feed_forward(model, frames, points)
  if step:
    folded = fold(
      {'generator': state.generator['generator']},
      {'generator': state.vectors['generator']},
    )
    person = dataclasses.replace(
      person,
      generator=jax.tree.map(np.asarray, folded['generator']),
      adain_params=np.asarray(state.generator['adain_params']),
    )
  info = {
    **person.info,
    'method': 'fine-tuned',
    'steps': step,
    'held_out_loss': loss,
  }
  return dataclasses.replace(person, info=info)
