"""The adversarial game, shared by meta-training and fine-tuning.

One forward pass of G and one of D on x and on x̂ serve both updates: the
gradients of G and those of D are two pullbacks of the same pass, so that
neither leaks into the other (x̂ is a constant to D's update, D's parameters
are constants to G's).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax

from flaxheads.config import LossConfig
from flaxheads.training import losses


class GeneratorTerms(NamedTuple):
  """Weighted terms of the loss of E, G and P; their sum is minimised."""

  content: jax.Array
  adversarial: jax.Array
  feature_matching: jax.Array
  match: jax.Array


class DiscriminatorTerms(NamedTuple):
  """The hinge loss and the mean scores it came from."""

  hinge: jax.Array
  real_score: jax.Array
  fake_score: jax.Array


class Gradients(NamedTuple):
  """What one pass yields.

  Attributes:
    generator: gradient of the generator's parameters.
    discriminator: gradient of the discriminator's parameters.
    fake: x̂, [B, H, W, 3], for further updates of D.
    generator_terms: GeneratorTerms.
    discriminator_terms: DiscriminatorTerms.
  """

  generator: dict
  discriminator: dict
  fake: jax.Array
  generator_terms: GeneratorTerms
  discriminator_terms: DiscriminatorTerms


def _hinge(real_score, fake_score):
  return losses.discriminator_loss(fake_score, real_score)


def gradients(
  generator_params,
  discriminator_params,
  real: jax.Array,
  *,
  generate: Callable,
  discriminate: Callable,
  content: Callable,
  match: Callable,
  weights: LossConfig,
) -> Gradients:
  """Gradients of both players from one pass.

  Args:
    generator_params: what G's side trains.
    discriminator_params: what D's side trains.
    real: x, [B, H, W, 3] in [-1, 1].
    generate: generator_params -> (x̂, embedding).
    discriminate: (discriminator_params, frames) -> DiscriminatorOutput.
    content: (x̂, x) -> weighted L_CNT.
    match: embedding -> L_MCH, unweighted.
    weights: weights of the other terms.

  Returns:
    Gradients.
  """
  (fake, embedding), pull_generator = jax.vjp(generate, generator_params)
  fake_output, pull_fake = jax.vjp(discriminate, discriminator_params, fake)
  real_output, pull_real = jax.vjp(
    lambda params: discriminate(params, real), discriminator_params
  )

  # E, G and P: L_CNT + L_ADV + L_MCH, with L_ADV = -r̂ + L_FM.
  def adversarial(output):
    score = weights.adversarial * losses.adversarial_loss(output.score)
    features = weights.feature_matching * losses.features_loss(
      output.features, real_output.features
    )
    return score + features, (score, features)

  content_loss, fake_cotangent = jax.value_and_grad(lambda x: content(x, real))(
    fake
  )
  cotangent, (score_loss, feature_loss) = jax.grad(adversarial, has_aux=True)(
    fake_output
  )
  fake_cotangent += pull_fake(cotangent)[1]
  match_loss, embedding_cotangent = jax.value_and_grad(
    lambda e: weights.match * match(e)
  )(embedding)
  (generator_gradient,) = pull_generator((fake_cotangent, embedding_cotangent))

  # D, w0, b and the rows: L_DSC.
  hinge, (real_cotangent, fake_cotangent) = jax.value_and_grad(
    _hinge, argnums=(0, 1)
  )(real_output.score, fake_output.score)
  zero = jax.tree.map(jax.numpy.zeros_like, real_output.features)
  output_type = type(real_output)
  discriminator_gradient = jax.tree.map(
    jax.numpy.add,
    pull_real(output_type(real_cotangent, zero))[0],
    pull_fake(output_type(fake_cotangent, zero))[0],
  )
  return Gradients(
    generator_gradient,
    discriminator_gradient,
    fake,
    GeneratorTerms(content_loss, score_loss, feature_loss, match_loss),
    DiscriminatorTerms(
      hinge, real_output.score.mean(), fake_output.score.mean()
    ),
  )


def discriminator_gradients(
  discriminator_params, real, fake, *, discriminate: Callable
):
  """Gradient of L_DSC alone, for D's further updates on the same x̂."""

  def loss(params):
    return _hinge(
      discriminate(params, real).score,
      discriminate(params, jax.lax.stop_gradient(fake)).score,
    )

  return jax.grad(loss)(discriminator_params)
