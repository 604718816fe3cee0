"""Few-shot fine-tuning: the loop over T frames of one person.

Zakharov et al. 2019, section 3.4; the step is in finetune_step.py.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.config import FinetuneConfig
from flaxheads.data.pixels import to_float
from flaxheads.errors import UserError
from flaxheads.fewshot.finetune_step import (
  build_programs,
  drawing_params,
  init_finetuning,
)
from flaxheads.fewshot.held_out import (
  NO_EXAMINER,
  Curve,
  Examiner,
  HeldOut,
  Look,
)
from flaxheads.fewshot.model import Model, fold
from flaxheads.fewshot.moves import is_moved, move
from flaxheads.fewshot.person import Person, feed_forward
from flaxheads.landmarks.rasterise import rasterise_landmarks


class Progress(NamedTuple):
  """One look at a fine-tuning under way.

  Attributes:
    look: at the held-out frames; at the frames themselves where there is only
      one.
    num_steps: steps planned.
    best_step: the step with the best look so far.
    person: makes the Person of the best step so far, say to draw a preview.
  """

  look: Look
  num_steps: int
  best_step: int
  person: Callable[[], Person]

  @property
  def step(self) -> int:
    """Steps done."""
    return self.look.step

  @property
  def loss(self) -> float:
    """Content loss of the look."""
    return self.look.loss


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
  examiner: Examiner | None = None,
) -> Person:
  """Fine-tunes a model on T frames of one person.

  With T > 1 an eighth of the frames is held out (ê is the mean over all T),
  and the parameters that draw these best are kept; fine-tuning ends early when
  they improve no more. What is best says `held_out.score`. With nothing held
  out the last parameters are kept.

  Args:
    model: Model.
    frames: uint8 [T, S, S, 3].
    points: float32 [T, 68, 2] in pixels.
    config: rates and lengths; None: the model's own.
    seed: of the order of frames and of those held out.
    on_progress: called at every look at the held-out frames.
    examiner: measures landmark error and identity at every look, as
      `make_examiner` has it; None: the content loss decides alone.

  Returns:
    Person. `info['steps']` is the step whose parameters were kept, and
    `info['curve']` every look, as `held_out.Curve.describe` has it.

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
  examiner = examiner or NO_EXAMINER
  experiment = dataclasses.replace(model.experiment, finetune=config)
  programs = build_programs(experiment)
  state = init_finetuning(model, frames, points)
  rng = np.random.default_rng(seed)
  num_held_out = _num_held_out(len(frames), config.holdout_fraction)
  trained, looked_at = _hold_out(len(frames), num_held_out, rng)
  x = np.asarray(to_float(jnp.asarray(frames)))
  y = np.asarray(
    rasterise_landmarks(jnp.asarray(points), model.config.image_size)
  )
  num_steps = num_finetuning_steps(len(frames), config)
  batches = _epochs(trained, min(config.batch_size, len(trained)), rng)
  held_out = HeldOut(examiner, frames[looked_at], points[looked_at])
  curve = Curve(config, num_held_out, examiner)

  def person():
    params = drawing_params(best, config.blend)
    return _make_person(model, frames, points, params, best.vectors, curve)

  def look(step):
    loss, drawn = programs.look(state, x[looked_at], y[looked_at])
    return held_out.examine(step, float(loss), drawn)

  best = state
  curve.add(look(0))
  for step in range(1, num_steps + 1):
    batch = next(batches)
    given = x[batch], y[batch]
    if is_moved(step, config.move_share):
      key = jax.random.fold_in(jax.random.key(seed), step)
      given = move(frames[batch], points[batch], key)
    state, _ = programs.step(state, *given)
    if step % config.check_every and step != num_steps:
      continue
    seen = look(step)
    if not np.isfinite(seen.loss):
      raise UserError(
        f'fine-tuning: the loss is {seen.loss} at step {step}; lower '
        '--finetune.generator_learning_rate'
      )
    if curve.add(seen):
      best = state
    if on_progress:
      on_progress(Progress(seen, num_steps, curve.kept.step, person))
    if step - curve.kept.step >= config.patience * config.check_every:
      break
  return person()


def _make_person(model, frames, points, params, vectors, curve) -> Person:
  person, kept = feed_forward(model, frames, points), curve.kept
  if kept.step:
    folded = fold(
      {'generator': params['generator']}, {'generator': vectors['generator']}
    )
    person = dataclasses.replace(
      person,
      generator=jax.tree.map(np.asarray, folded['generator']),
      adain_params=np.asarray(params['adain_params']),
    )
  info = {
    **person.info,
    'method': 'fine-tuned',
    'steps': kept.step,
    'held_out_loss': kept.loss,
    'curve': curve.describe(),
  }
  return dataclasses.replace(person, info=info)
