"""One fine-tuning step on psi', psi, theta, w' and b, and what it starts from.

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
import optax

from flaxheads import config as configs
from flaxheads import networks as nets
from flaxheads.config import Config
from flaxheads.data.pixels import to_uint8
from flaxheads.fewshot.direct import embed_person, without_projection
from flaxheads.fewshot.model import Model
from flaxheads.landmarks.rasterise import face_mask
from flaxheads.models import spectral
from flaxheads.training import objectives
from flaxheads.training.content_loss import build_content
from flaxheads.training.optimizers import adam, apply_gradient


@flax.struct.dataclass
class FinetuneState:
  """What a fine-tuning step reads and writes.

  Attributes:
    generator: {'generator': parameters of G without P, 'adain_params': psi',
      float32 [M]}.
    average: exponential moving average of `generator`.
    initial: `generator` before the first step.
    discriminator: {'params': parameters of D, 'rows': w', float32 [N]}.
    vectors: of spectral normalisation, {'generator', 'discriminator'}.
    generator_optimizer: Adam's state for psi' and psi.
    discriminator_optimizer: Adam's state for theta, w' and b.
  """

  generator: dict
  average: dict
  initial: dict
  discriminator: dict
  vectors: dict
  generator_optimizer: optax.OptState
  discriminator_optimizer: optax.OptState


def init_finetuning(model: Model, frames, points) -> FinetuneState:
  """The state before the first step.

  Args:
    model: Model.
    frames: uint8 [T, S, S, 3].
    points: float32 [T, 68, 2] in pixels.
  """
  embedding, adain_params = embed_person(model, frames, points)
  return start_state(
    model.experiment, model.params, model.spectral, embedding, adain_params
  )


def start_state(
  experiment: Config, params: dict, spectral: dict, embedding, adain_params
) -> FinetuneState:
  """The state before the first step, from an embedding.

  Args:
    experiment: the config of the model.
    params: of generator and discriminator, not normalised.
    spectral: their vectors.
    embedding: ê, float32 [N].
    adain_params: psi = P ê, float32 [M].
  """
  generator = {
    'generator': without_projection(params['generator']),
    'adain_params': adain_params,
  }
  of_discriminator = jax.tree.map(jnp.asarray, params['discriminator'])
  discriminator = {
    'params': of_discriminator,
    'rows': of_discriminator['w0'] + embedding,
  }
  vectors = {
    'generator': without_projection(spectral['generator']),
    'discriminator': spectral['discriminator'],
  }
  optimizer = adam(experiment.optimizer)
  return FinetuneState(
    generator,
    generator,
    generator,
    discriminator,
    vectors,
    optimizer.init(generator),
    optimizer.init(discriminator),
  )


def blended_params(state: FinetuneState, blend: float) -> dict:
  """The parameters of the person: between the start and the average.

  Weights on the line between a model and its fine-tuned copy keep more of what
  the model can do with inputs that fine-tuning never saw (Wortsman et al.
  2022, "Robust fine-tuning of zero-shot models"); here, other poses.

  Args:
    state: FinetuneState.
    blend: in [0, 1]; 0 is the start, 1 the average.

  Returns:
    A tree like `state.generator`.
  """
  return optax.incremental_update(state.average, state.initial, blend)


def _generate(networks, vectors, params, landmark_images):
  normal = spectral.normalize(params['generator'], vectors['generator'])
  psi = params['adain_params'][None].repeat(landmark_images.shape[0], 0)
  return nets.generate(networks, normal, landmark_images, psi)


def _content(content, params, landmark_images, face_weight):
  """The content loss, once more within the face where that has a weight."""
  if not face_weight:
    return lambda fake, real: content(params, fake, real)
  face = face_mask(landmark_images)

  def weighed(fake, real):
    inside = content(params, fake * face, real * face)
    return content(params, fake, real) + face_weight * inside

  return weighed


def finetune_step(
  state: FinetuneState,
  frames: jax.Array,
  landmark_images: jax.Array,
  content_params: dict,
  *,
  experiment: Config,
  networks: nets.Networks,
  content: Callable,
) -> tuple[FinetuneState, objectives.GeneratorTerms]:
  """One update of G's side and as many of D's as in meta-training.

  Args:
    state: FinetuneState.
    frames: x, [B, H, W, 3] in [-1, 1].
    landmark_images: y, [B, H, W, 3] in [-1, 1].
    content_params: of the content networks.
    experiment: the config of the model, with its fine-tuning rates.
    networks: Networks.
    content: from `build_content`.
  """
  rates, optimizer = experiment.finetune, adam(experiment.optimizer)
  vectors = state.vectors  # for all passes; the next step has the advanced

  def discriminate(trained, frames, is_real):
    del is_real  # w' is trained by both scores
    normal = spectral.normalize(trained['params'], vectors['discriminator'])
    rows = trained['rows'][None].repeat(frames.shape[0], 0)
    return nets.discriminate(
      networks, normal, frames, landmark_images, rows, add_w0=False
    )

  game = objectives.gradients(
    state.generator,
    state.discriminator,
    frames,
    generate=lambda p: (_generate(networks, vectors, p, landmark_images), None),
    discriminate=discriminate,
    content=_content(
      content, content_params, landmark_images, rates.face_weight
    ),
    weights=experiment.loss,  # no rows, no L_MCH: the embedding is fixed
  )
  generator, generator_optimizer = apply_gradient(
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
      gradient = objectives.discriminator_gradients(
        discriminator, frames, game.fake, discriminate=discriminate
      )
    discriminator, discriminator_optimizer = apply_gradient(
      discriminator,
      discriminator_optimizer,
      gradient,
      optimizer,
      rates.discriminator_learning_rate,
    )
  average = optax.incremental_update(
    generator, state.average, 1 - rates.ema_decay
  )
  new_state = FinetuneState(
    generator,
    average,
    state.initial,
    discriminator,
    {
      'generator': spectral.power_iteration(
        state.generator['generator'], vectors['generator']
      ),
      'discriminator': spectral.power_iteration(
        state.discriminator['params'], vectors['discriminator']
      ),
    },
    generator_optimizer,
    discriminator_optimizer,
  )
  return new_state, game.generator_terms


class Programs(NamedTuple):
  """Jitted functions of (state, frames, landmark_images), [B, H, W, 3] both.

  Attributes:
    step: returns (FinetuneState, GeneratorTerms).
    validate: returns the content loss of generated frames, a scalar, and the
      frames, uint8 [B, H, W, 3].
  """

  step: Callable
  validate: Callable


@functools.lru_cache(maxsize=8)
def _build_programs(experiment_json: str) -> Programs:
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
  def validate(state, content_params, frames, landmark_images):
    rates = experiment.finetune
    params = blended_params(state, rates.blend)
    fake = _generate(networks, state.vectors, params, landmark_images)
    face_weight = rates.face_weight
    loss = _content(content.apply, content_params, landmark_images, face_weight)
    return loss(fake, frames), to_uint8(fake)

  return Programs(
    lambda state, frames, landmark_images: step(
      state, frames, landmark_images, content.params
    ),
    lambda state, frames, landmark_images: validate(
      state, content.params, frames, landmark_images
    ),
  )


def build_programs(experiment: Config) -> Programs:
  """Jitted functions of an experiment, kept for the next person.

  Args:
    experiment: of the model, with its fine-tuning settings.
  """
  return _build_programs(json.dumps(dataclasses.asdict(experiment)))
