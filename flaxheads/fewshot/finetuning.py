"""Few-shot fine-tuning: the loop over T frames of one person.

Zakharov et al. 2019, section 3.4; the step is in finetune_step.py.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from flaxheads.config import AugmentConfig, FinetuneConfig
from flaxheads.data.augment import augment
from flaxheads.data.pixels import to_float
from flaxheads.errors import UserError
from flaxheads.fewshot.direct import DirectPerson, feed_forward
from flaxheads.fewshot.finetune_programs import build_programs
from flaxheads.fewshot.finetune_step import blended_params, init_finetuning
from flaxheads.fewshot.model import Model, fold
from flaxheads.fewshot.validation import (
  NO_VALIDATOR,
  ValidationCurve,
  ValidationFrames,
  ValidationResult,
  Validator,
)
from flaxheads.landmarks import host_raster
from flaxheads.quick_jit import quick_jit

# Where a face moves its surroundings rarely move with it: a share of the steps
# alone sees augmented frames, and none is mirrored.
_AUGMENT = AugmentConfig(flip=False, colour=0.0)

_MIN_FRAMES_TO_VALIDATE = 6
_MANY_FRAMES = 32  # from here on the number of steps stays


class Progress(NamedTuple):
  """One validation of a fine-tuning.

  Attributes:
    result: on the validation frames; on the training frames where there is
      only one frame.
    num_steps: steps planned.
    best_step: the step with the best result so far.
    person: makes the Person of the best step so far, for a preview.
  """

  result: ValidationResult
  num_steps: int
  best_step: int
  person: Callable[[], DirectPerson]

  @property
  def step(self) -> int:
    """Steps done."""
    return self.result.step

  @property
  def loss(self) -> float:
    """Content loss of the result."""
    return self.result.loss


def _num_validation(num_frames: int, fraction: float) -> int:
  """No frame of a few can be spared."""
  if num_frames < _MIN_FRAMES_TO_VALIDATE or not fraction:
    return 0
  return max(1, round(num_frames * fraction))


def _split(num_frames: int, num_validation: int, rng):
  """Indices of the training frames, and of those that are validated.

  Frame 0, the portrait, is always a training frame.
  """
  if not num_validation:
    return np.arange(num_frames), np.arange(num_frames)
  order = 1 + rng.permutation(num_frames - 1)
  return np.append(order[num_validation:], 0), order[:num_validation]


def _epochs(indices, batch_size: int, rng):
  """Endless batches; every index once before any comes again."""
  left = np.array([], indices.dtype)
  while True:
    while len(left) < batch_size:
      left = np.concatenate([left, rng.permutation(indices)])
    yield left[:batch_size]
    left = left[batch_size:]


@functools.partial(quick_jit, runs='some')
def _augment(frames, points, key):
  """Shifts, turns and zooms every frame by itself, with its landmarks.

  So that few frames teach more; this is ours, not the paper's.

  Args:
    frames: uint8 [B, H, W, 3].
    points: [B, 68, 2] in pixels.
    key: of this step.

  Returns:
    x, [B, H, W, 3] in [-1, 1], and the points.
  """
  keys = jax.random.split(key, frames.shape[0])
  frames, points = augment(keys, frames[:, None], points[:, None], _AUGMENT)
  return frames[:, 0], points[:, 0]


def _is_augmented(step: int, share: float) -> bool:
  """Whether the frames of `step` (from 1) are augmented; evenly spread."""
  return int(step * share) > int((step - 1) * share)


def num_finetuning_steps(num_frames: int, config: FinetuneConfig) -> int:
  """Steps planned for T frames.

  `min_steps` at T = 1, `max_steps` from T = 32 on, and even in log T between:
  too few leave an identity gap, too many on a few frames spoil other poses.
  """
  share = np.log2(min(num_frames, _MANY_FRAMES)) / np.log2(_MANY_FRAMES)
  steps = config.min_steps + (config.max_steps - config.min_steps) * share
  return round(float(steps))


def _as_networks_see(frames, points):
  """Frames and landmark images, each float32 [T, S, S, 3] in [-1, 1]."""
  x = to_float(np.asarray(frames))
  return x, host_raster.landmark_images(points, frames.shape[2])


def _training(
  programs, state, faces, inputs, trained, batch_size, config, seed
):
  """Yields the calibrated state, then that after every step, endlessly.

  Args:
    programs: of `build_programs`.
    state: FinetuneState.
    faces: frames uint8 [T, S, S, 3] and points [T, 68, 2].
    inputs: the same, of `_as_networks_see`.
    trained: indices of the training frames.
    batch_size: at most their number.
    config: FinetuneConfig.
    seed: of the order of frames and of augmentation.
  """
  frames, points = faces
  x, y = inputs
  rng = np.random.default_rng(seed)
  batches = _epochs(trained, batch_size, rng)
  some = trained[:batch_size]
  state = programs.calibrate(state, x[some], y[some])
  yield state
  for step, batch in enumerate(batches, 1):
    seen = x[batch], y[batch], points[batch]
    if _is_augmented(step, config.move_share):
      key = jax.random.fold_in(jax.random.key(seed), step)
      moved, where = _augment(frames[batch], points[batch], key)
      seen = moved, host_raster.landmark_images(where, frames.shape[2]), where
    state, _ = programs.step(state, *seen)
    yield state


def finetune(
  model: Model,
  frames,
  points,
  config: FinetuneConfig | None = None,
  seed: int = 0,
  on_progress: Callable[[Progress], None] | None = None,
  validator: Validator | None = None,
) -> DirectPerson:
  """Fine-tunes a model on T frames of one person.

  With T >= 6 an eighth of the frames, never the first, is for validation. The
  step with the best validation score (`validation.score`) is chosen, with early
  stopping, and the person is then fitted again on all T frames for so many
  steps. With fewer frames there is no validation, and the last step is kept.

  Args:
    model: Model.
    frames: uint8 [T, S, S, 3].
    points: float32 [T, 68, 2] in pixels.
    config: rates and lengths; None: the model's own.
    seed: of the order of frames and of the choice of validation frames.
    on_progress: called at every validation.
    validator: measures landmark error and identity, see `make_validator`;
      None: the content loss decides alone.

  Returns:
    DirectPerson. `info['steps']` is the step that was kept, `info['curve']` all
    results, as `ValidationCurve.describe` has them.

  Raises:
    UserError: the loss became infinite or undefined, or the model was trained
      without L_MCH.
  """
  if not model.experiment.loss.match:
    raise UserError(
      'model: trained without L_MCH (loss.match=0), so that w0 + ê means '
      'nothing to D and it cannot be fine-tuned; use it feed-forward'
    )
  config = config or model.experiment.finetune
  validator = validator or NO_VALIDATOR
  experiment = dataclasses.replace(model.experiment, finetune=config)
  programs = build_programs(experiment)
  initial = init_finetuning(model, frames, points)
  num_validation = _num_validation(len(frames), config.holdout_fraction)
  trained, validated = _split(
    len(frames), num_validation, np.random.default_rng(seed)
  )
  validation = ValidationFrames(validator, frames[validated], points[validated])
  curve = ValidationCurve(config, num_validation, validator)
  num_steps = num_finetuning_steps(len(frames), config)

  x, y = _as_networks_see(frames, points)
  size = min(config.batch_size, len(trained))  # the same on all T frames

  def run(trained):
    inputs = (frames, points), (x, y), trained
    return _training(programs, initial, *inputs, size, config, seed)

  def person(state):
    ends = jax.device_get((state.average, state.initial))  # nothing to compile
    params = blended_params(*ends, config.blend)
    return _make_person(model, frames, points, params, state.vectors, curve)

  best = initial
  for step, state in enumerate(run(trained)):
    if step % config.check_every and step != num_steps:
      continue
    inputs = (array[validated] for array in (x, y, points))
    loss, generated = programs.validate(state, *inputs)
    result = validation.measure(step, float(loss), generated)
    _check_finite(result)
    if curve.add(result):
      best = state
    if on_progress and step:
      kept = curve.kept.step
      preview = functools.partial(person, best)
      on_progress(Progress(result, num_steps, kept, preview))
    waited = step - curve.kept.step
    if step == num_steps or waited >= config.patience * config.check_every:
      break
  if num_validation and curve.kept.step:
    everything = run(np.arange(len(frames)))
    best = next(itertools.islice(everything, curve.kept.step, None))
  return person(best)


def _check_finite(result: ValidationResult) -> None:
  if not np.isfinite(result.loss):
    raise UserError(
      f'fine-tuning: the loss is {result.loss} at step {result.step}; lower '
      '--finetune.generator_learning_rate'
    )


def _make_person(model, frames, points, params, vectors, curve) -> DirectPerson:
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
    'validation_loss': kept.loss,
    'curve': curve.describe(),
  }
  return dataclasses.replace(person, info=info)
