"""One fine-tuning step on psi', psi, theta, w' and b, and what it starts from.

Zakharov et al. 2019, section 3.4: psi' starts at P ê and w' at w0 + ê.
"""

from collections.abc import Callable

import flax.struct
import jax
import jax.numpy as jnp
import optax

from flaxheads import networks as nets
from flaxheads.config import Config
from flaxheads.fewshot.direct import embed_person, without_projection
from flaxheads.fewshot.model import Model
from flaxheads.landmarks.rasterise import face_mask
from flaxheads.models import spectral
from flaxheads.training import objectives
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


def _optimizer(experiment: Config) -> optax.GradientTransformation:
  """Adam on one vector of all parameters, which compiles quickly."""
  return optax.flatten(adam(experiment.optimizer))


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
  optimizer = _optimizer(experiment)
  return FinetuneState(
    generator,
    generator,
    generator,
    discriminator,
    vectors,
    optimizer.init(generator),
    optimizer.init(discriminator),
  )


def blended_params(average: dict, initial: dict, blend: float) -> dict:
  """The parameters of the person: between the start and the average.

  Weights on the line between a model and its fine-tuned copy keep more of what
  the model can do with inputs that fine-tuning never saw (Wortsman et al.
  2022, "Robust fine-tuning of zero-shot models"); here, other poses.

  Args:
    average: of a FinetuneState; a tree of numpy or JAX arrays.
    initial: the same.
    blend: in [0, 1]; 0 is the start, 1 the average.

  Returns:
    A tree like both.
  """
  return optax.incremental_update(average, initial, blend)


def generate_frames(networks, vectors, params, landmark_images):
  """x̂ of one person, [B, H, W, 3], with ψ' in the place of P ê."""
  normal = spectral.normalize(params['generator'], vectors['generator'])
  psi = params['adain_params'][None].repeat(landmark_images.shape[0], 0)
  return nets.generate(networks, normal, landmark_images, psi)


def content_of(content, params, landmark_images, points, face_weight):
  """The content loss, once more within the face where that has a weight."""
  if not face_weight:
    return lambda fake, real: content(params, fake, real, points)
  face = face_mask(landmark_images)

  def weighed(fake, real):
    inside = content(params, fake * face, real * face, points)
    return content(params, fake, real, points) + face_weight * inside

  return weighed


def discriminate(networks, vectors, trained, frames, landmark_images):
  """D(x, y) of one person, with w' in the place of w0 + W_i."""
  normal = spectral.normalize(trained['params'], vectors['discriminator'])
  rows = trained['rows'][None].repeat(frames.shape[0], 0)
  return nets.discriminate(
    networks, normal, frames, landmark_images, rows, add_w0=False
  )


def calibrate(
  state: FinetuneState,
  frames: jax.Array,
  landmark_images: jax.Array,
  *,
  networks: nets.Networks,
) -> FinetuneState:
  """Shifts D's bias b so that these real frames score 0 on average.

  Meta-training knows the score of W_i, and w0 + ê may be hinge units off: real
  frames beyond the margin would give D no gradient.

  Args:
    state: before the first step.
    frames: x, [B, H, W, 3] in [-1, 1].
    landmark_images: y, [B, H, W, 3] in [-1, 1].
    networks: Networks.
  """
  output = discriminate(
    networks, state.vectors, state.discriminator, frames, landmark_images
  )
  params = dict(state.discriminator['params'])
  params['b'] = params['b'] - output.score.mean()
  return state.replace(discriminator={**state.discriminator, 'params': params})


def _discriminator_steps(state, frames, first, experiment, discriminate):
  """D's updates, always on the same x̂; `first` has the first gradient."""
  trained, optimizer_state = state.discriminator, state.discriminator_optimizer
  gradient = first.discriminator
  for update in range(experiment.training.discriminator_updates):
    if update:
      gradient, _ = objectives.discriminator_gradients(
        trained,
        frames,
        first.fake,
        discriminate=discriminate,
        weights=experiment.loss,
      )
    trained, optimizer_state = apply_gradient(
      trained,
      optimizer_state,
      gradient,
      _optimizer(experiment),
      experiment.finetune.discriminator_learning_rate,
    )
  return trained, optimizer_state


def _advance(state: FinetuneState) -> dict:
  """The vectors of spectral normalisation, one power iteration later."""
  params = {
    'generator': state.generator['generator'],
    'discriminator': state.discriminator['params'],
  }
  return {
    name: spectral.power_iteration(tree, state.vectors[name])
    for name, tree in params.items()
  }


def finetune_step(
  state: FinetuneState,
  frames: jax.Array,
  landmark_images: jax.Array,
  points: jax.Array,
  content_params: dict,
  *,
  experiment: Config,
  networks: nets.Networks,
  content: Callable,
) -> tuple[FinetuneState, objectives.GeneratorTerms]:
  """One generator step and as many discriminator steps as in meta-training.

  Args:
    state: FinetuneState.
    frames: x, [B, H, W, 3] in [-1, 1].
    landmark_images: y, [B, H, W, 3] in [-1, 1].
    points: that y shows, [B, 68, 2] in pixels.
    content_params: of the content networks.
    experiment: the config of the model, with its fine-tuning rates.
    networks: Networks.
    content: from `build_content`.
  """
  rates = experiment.finetune
  vectors = state.vectors  # for all passes; the next step has the advanced

  def generate(params):
    return generate_frames(networks, vectors, params, landmark_images), None

  def score(trained, frames, is_real):
    del is_real  # w' is trained by both scores
    return discriminate(networks, vectors, trained, frames, landmark_images)

  first = objectives.gradients(
    state.generator,
    state.discriminator,
    frames,
    generate=generate,
    discriminate=score,
    content=content_of(
      content, content_params, landmark_images, points, rates.face_weight
    ),
    weights=experiment.loss,  # no rows, no L_MCH: the embedding is fixed
  )
  generator, generator_optimizer = apply_gradient(
    state.generator,
    state.generator_optimizer,
    first.generator,
    _optimizer(experiment),
    rates.generator_learning_rate,
  )
  discriminator, discriminator_optimizer = _discriminator_steps(
    state, frames, first, experiment, score
  )
  new_state = FinetuneState(
    generator=generator,
    average=optax.incremental_update(
      generator, state.average, 1 - rates.ema_decay
    ),
    initial=state.initial,
    discriminator=discriminator,
    vectors=_advance(state),
    generator_optimizer=generator_optimizer,
    discriminator_optimizer=discriminator_optimizer,
  )
  return new_state, first.generator_terms
