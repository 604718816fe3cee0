"""Fine-tuning's jitted functions, compiled once for an experiment."""

import dataclasses
import functools
import json
from collections.abc import Callable
from typing import NamedTuple

from flaxheads import config as configs
from flaxheads import networks as nets
from flaxheads.config import Config
from flaxheads.data.pixels import to_uint8
from flaxheads.fewshot.finetune_step import (
  blended_params,
  calibrate,
  content_of,
  finetune_step,
  generate_frames,
)
from flaxheads.quick_jit import quick_jit
from flaxheads.training.content_loss import build_content


class Programs(NamedTuple):
  """Jitted functions of (state, frames, landmark_images, points).

  Frames and landmark images are [B, H, W, 3], points [B, 68, 2] in pixels.

  Attributes:
    step: returns (FinetuneState, GeneratorTerms).
    validate: returns the content loss of generated frames, a scalar, and the
      frames, uint8 [B, H, W, 3].
    calibrate: returns the state before the first step; it takes no points.
  """

  step: Callable
  validate: Callable
  calibrate: Callable


def jit_step(experiment: Config, networks: nets.Networks, content: Callable):
  """The jitted step of an experiment; content is Content.apply."""
  step = functools.partial(
    finetune_step, experiment=experiment, networks=networks, content=content
  )
  return quick_jit(step, 'some')


@functools.lru_cache(maxsize=8)
def _build_programs(experiment_json: str) -> Programs:
  """Jitted functions, kept for the next person of the same experiment."""
  experiment = configs.from_dict(json.loads(experiment_json))
  networks = nets.build_networks(experiment.model)
  content = build_content(experiment)
  step = jit_step(experiment, networks, content.apply)

  def validate(state, content_params, frames, landmark_images, points):
    rates = experiment.finetune
    params = blended_params(state.average, state.initial, rates.blend)
    fake = generate_frames(networks, state.vectors, params, landmark_images)
    face_weight = rates.face_weight
    loss = content_of(
      content.apply, content_params, landmark_images, points, face_weight
    )
    return loss(fake, frames), to_uint8(fake)

  validate = quick_jit(validate, 'once')
  return Programs(
    lambda state, *inputs: step(state, *inputs, content.params),
    lambda state, *inputs: validate(state, content.params, *inputs),
    quick_jit(functools.partial(calibrate, networks=networks), 'once'),
  )


def build_programs(experiment: Config) -> Programs:
  """Jitted functions of an experiment, kept for the next person.

  Args:
    experiment: of the model, with its fine-tuning settings.
  """
  return _build_programs(json.dumps(dataclasses.asdict(experiment)))
