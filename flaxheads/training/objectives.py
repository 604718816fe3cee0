"""The objectives of the networks, and their gradients from one shared pass.

`objectives` is the training loss as Zakharov et al. 2019, section 3, state it.
`gradients` differentiates it. It is shared by meta-training and fine-tuning.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.config import LossConfig
from flaxheads.training import identity_table, losses


class GeneratorTerms(NamedTuple):
  """Weighted terms; E, G and P minimise their sum."""

  content: jax.Array
  adversarial: jax.Array
  feature_matching: jax.Array
  match: jax.Array


class DiscriminatorTerms(NamedTuple):
  """Weighted terms, whose sum D and W minimise, and the mean scores."""

  hinge: jax.Array
  mismatch: jax.Array
  real_score: jax.Array
  fake_score: jax.Array


def objectives(
  real,
  fake,
  real_output,
  fake_output,
  *,
  content: Callable,
  weights: LossConfig,
  embedding=None,
  rows=None,
) -> tuple[GeneratorTerms, DiscriminatorTerms]:
  """What E, G and P minimise, and what D and W minimise.

  E, G, P (φ, ψ, P):    L_CNT + L_ADV + L_MCH
    L_CNT = Σ |VGG(x̂) - VGG(x)|, over layers of VGG19 and VGGFace
    L_ADV = -D(x̂, y, i) + L_FM
    L_FM  = Σ |D_k(x̂, y, i) - D_k(x, y, i)|, over the blocks of D
    L_MCH = |ê_i - W_i|
  D, W (θ, W, w0, b):   L_DSC = max(0, 1 + D(x̂, y, i)) + max(0, 1 - D(x, y, i))
    and, with loss.mismatch (ours), mean over j != i of max(0, 1 + D(x, y, j))

  Args:
    real: x, [B, H, W, 3] in [-1, 1].
    fake: x̂ = G(y, ê_i), the same.
    real_output: D(x, y, i), a DiscriminatorOutput; with other_scores,
      D(x, y, j), where mismatch counts.
    fake_output: D(x̂, y, i).
    content: (x̂, x) -> weighted L_CNT.
    weights: weights of the other terms.
    embedding: ê_i, [B, N].
    rows: W_i, [B, N]; None: no L_MCH, as in fine-tuning.

  Returns:
    GeneratorTerms and DiscriminatorTerms.
  """
  match = jnp.zeros(())
  if rows is not None:
    match = weights.match * losses.match_loss(embedding, rows)
  generator = GeneratorTerms(
    content=content(fake, real),
    adversarial=weights.adversarial
    * losses.adversarial_loss(fake_output.score),
    feature_matching=weights.feature_matching
    * losses.features_loss(fake_output.features, real_output.features),
    match=match,
  )
  return generator, discriminator_terms(real_output, fake_output, weights)


def discriminator_terms(real_output, fake_output, weights):
  """What D and W minimise, as of `objectives`."""
  mismatch = jnp.zeros(())
  if real_output.other_scores is not None:
    mismatch = losses.mismatch_loss(real_output.other_scores)
    mismatch *= weights.mismatch
  return DiscriminatorTerms(
    hinge=losses.discriminator_loss(fake_output.score, real_output.score),
    mismatch=mismatch,
    real_score=real_output.score.mean(),
    fake_score=fake_output.score.mean(),
  )


class Gradients(NamedTuple):
  """What one pass yields.

  Attributes:
    generator: gradient of the generator step's parameters.
    discriminator: gradient of the discriminator step's parameters.
    fake: x̂, [B, H, W, 3], for further updates of D.
    generator_terms: GeneratorTerms.
    discriminator_terms: DiscriminatorTerms.
    embedding: what `generate` returned beside x̂.
    real_output: D(x, y, i).
    rows: W_i, [B, N], as D saw them.
  """

  generator: dict
  discriminator: dict
  fake: jax.Array
  generator_terms: GeneratorTerms
  discriminator_terms: DiscriminatorTerms
  embedding: jax.Array | None
  real_output: NamedTuple
  rows: jax.Array | None


def gradients(
  generator_params,
  discriminator_params,
  real: jax.Array,
  *,
  generate: Callable,
  discriminate: Callable,
  content: Callable,
  weights: LossConfig,
  rows=None,
) -> Gradients:
  """Gradients of both steps from one forward pass of G and one of D.

  The gradients are pullbacks of the same pass, and neither leaks into the
  other: D's parameters are constants to the generator step, x̂ is a constant
  to the discriminator step.

  Args:
    generator_params: what the generator step trains.
    discriminator_params: what the discriminator step trains.
    real: x, [B, H, W, 3] in [-1, 1].
    generate: generator_params -> (x̂, ê).
    discriminate: (discriminator_params, frames, is_real) ->
      DiscriminatorOutput.
    content: (x̂, x) -> weighted L_CNT.
    weights: weights of the other terms.
    rows: W_i, [B, N], for L_MCH, where they have begun, and then also
      discriminator_params['rows']; None: no L_MCH.

  Returns:
    Gradients.
  """
  (fake, embedding), pull_generator = jax.vjp(generate, generator_params)
  if rows is not None:
    rows = identity_table.begin(rows, embedding)
    discriminator_params = {**discriminator_params, 'rows': rows}
  fake_output, pull_fake = jax.vjp(
    lambda params, x: discriminate(params, x, False), discriminator_params, fake
  )
  real_output, pull_real = jax.vjp(
    lambda params: discriminate(params, real, True), discriminator_params
  )

  terms_of = functools.partial(
    objectives, real, content=content, weights=weights, rows=rows
  )

  def generator_loss(fake, embedding, fake_output):
    terms, _ = terms_of(fake, real_output, fake_output, embedding=embedding)
    return sum(terms), terms

  to_generator, generator_terms = jax.grad(
    generator_loss, argnums=(0, 1, 2), has_aux=True
  )(fake, embedding, fake_output)
  to_fake = to_generator[0] + pull_fake(to_generator[2])[1]
  (generator_gradient,) = pull_generator((to_fake, to_generator[1]))

  def discriminator_loss(fake_output, real_output):
    _, terms = terms_of(fake, real_output, fake_output, embedding=embedding)
    return terms.hinge + terms.mismatch, terms

  (from_fake, from_real), discriminator_terms = jax.grad(
    discriminator_loss, argnums=(0, 1), has_aux=True
  )(fake_output, real_output)
  discriminator_gradient = jax.tree.map(
    jnp.add, pull_fake(from_fake)[0], pull_real(from_real)[0]
  )
  return Gradients(
    generator_gradient,
    discriminator_gradient,
    fake,
    generator_terms,
    discriminator_terms,
    embedding,
    real_output,
    rows,
  )


def discriminator_gradients(
  discriminator_params, real, fake, *, discriminate: Callable, weights
):
  """Gradient of L_DSC alone, for D's further updates on the same x̂.

  Returns:
    The gradient by `discriminator_params`, and DiscriminatorTerms.
  """

  def loss(params):
    terms = discriminator_terms(
      discriminate(params, real, True),
      discriminate(params, jax.lax.stop_gradient(fake), False),
      weights,
    )
    return terms.hinge + terms.mismatch, terms

  return jax.grad(loss, has_aux=True)(discriminator_params)
