"""Pix2pixHD's losses, shared by training and fine-tuning.

Wang et al. 2018, as the authors' code has them (NVIDIA/pix2pixHD).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from absl import logging

from flaxheads.baselines.pix2pixhd.config import Pix2pixHDConfig
from flaxheads.baselines.pix2pixhd.networks import Networks, PatchOutput
from flaxheads.models.precision import widen
from flaxheads.training import losses
from flaxheads.training.content_loss import ContentLoss, load_networks

# Of conv1_1 to conv5_1, as in the published code.
_VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


class GeneratorTerms(NamedTuple):
  """Weighted terms of the generator's loss; their sum is minimised."""

  content: jax.Array
  adversarial: jax.Array
  feature_matching: jax.Array


class DiscriminatorTerms(NamedTuple):
  """The discriminators' loss and the mean scores it came from."""

  least_squares: jax.Array
  real_score: jax.Array
  fake_score: jax.Array


def least_squares(outputs: list[PatchOutput], label: float):
  """LSGAN (Mao et al. 2017): (score - label)² over places, summed over scales.

  Args:
    outputs: of each scale.
    label: 1 for real, 0 for generated.

  Returns:
    float32 scalar.
  """
  return sum(jnp.square(output.score - label).mean() for output in outputs)


def feature_matching(fake: list[PatchOutput], real: list[PatchOutput]):
  """L1 between features, summed over layers, mean over scales.

  The published code multiplies by 4 / (layers + 1), which is 1 for its three.

  Args:
    fake: what the discriminators say of x̂.
    real: the same of x; no gradient flows into it.

  Returns:
    float32 scalar.
  """
  by_scale = [
    losses.features_loss(f.features, r.features)
    for f, r in zip(fake, real, strict=True)
  ]
  return sum(by_scale) / len(by_scale)


def build_content(config: Pix2pixHDConfig) -> ContentLoss:
  """The perceptual loss of VGG19; the pyramid where there are no weights.

  Raises:
    UserError: the weight file cannot be used.
  """
  networks, params = load_networks(
    config.perceptual, jnp.dtype(config.model.dtype)
  )
  if not params:
    logging.info(
      'Pix2pixHD: content loss is Laplacian-pyramid L1 (no VGG19 weights '
      'given; the paper has one of VGG19: '
      '--config.perceptual.vgg19=FILE.safetensors)'
    )
    weight = config.loss.pyramid
    return ContentLoss(
      {}, lambda _, fake, real: weight * losses.pyramid_loss(fake, real)
    )

  def apply(params, fake, real):
    variables = {'params': params['vgg19']}
    generated = networks['vgg19'].apply(variables, fake)
    true = networks['vgg19'].apply(variables, jax.lax.stop_gradient(real))
    terms = [
      weight * jnp.abs(widen(a) - widen(b)).mean()
      for weight, a, b in zip(_VGG_WEIGHTS, generated, true, strict=True)
    ]
    return config.loss.vgg19 * sum(terms)

  return ContentLoss(params, apply)


class Gradients(NamedTuple):
  """What one pass yields; `params` has the keys of State.params."""

  params: dict
  generator_terms: GeneratorTerms
  discriminator_terms: DiscriminatorTerms


def gradients(
  params: dict,
  frames: jax.Array,
  landmark_images: jax.Array,
  *,
  networks: Networks,
  content: Callable,
  weights,
) -> Gradients:
  """Gradients of both players, from one pass of each network.

  Neither leaks into the other: x̂ is a constant to the discriminators' update
  and they are constants to the generator's.

  Args:
    params: {'generator', 'discriminator'}.
    frames: x, [B, H, W, 3] in [-1, 1].
    landmark_images: y, the landmark images alike.
    networks: Networks.
    content: (x̂, x) -> weighted content loss.
    weights: Pix2pixHDLossConfig.
  """

  def discriminate(trained, x):
    return networks.discriminator.apply({'params': trained}, x, landmark_images)

  fake, pull_generator = jax.vjp(
    lambda p: networks.generator.apply({'params': p}, landmark_images),
    params['generator'],
  )
  judged = params['discriminator']
  of_fake, pull_fake = jax.vjp(discriminate, judged, fake)
  of_real, pull_real = jax.vjp(lambda p: discriminate(p, frames), judged)

  def play(outputs):
    adversarial = least_squares(outputs, 1.0)
    matching = weights.feature_matching * feature_matching(outputs, of_real)
    return adversarial + matching, (adversarial, matching)

  content_loss, cotangent = jax.value_and_grad(lambda x: content(x, frames))(
    fake
  )
  through_judges, terms = jax.grad(play, has_aux=True)(of_fake)
  cotangent += pull_fake(through_judges)[1]
  (generator,) = pull_generator(cotangent)

  def judge(of_fake, of_real):  # halved in the published code
    return (least_squares(of_fake, 0.0) + least_squares(of_real, 1.0)) / 2

  loss, (fake_cotangent, real_cotangent) = jax.value_and_grad(judge, (0, 1))(
    of_fake, of_real
  )
  discriminator = jax.tree.map(
    jnp.add, pull_fake(fake_cotangent)[0], pull_real(real_cotangent)[0]
  )
  return Gradients(
    {'generator': generator, 'discriminator': discriminator},
    GeneratorTerms(content_loss, *terms),
    DiscriminatorTerms(loss, _mean_score(of_real), _mean_score(of_fake)),
  )


def _mean_score(outputs):
  return sum(output.score.mean() for output in outputs) / len(outputs)
