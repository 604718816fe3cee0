"""Forward and backward passes of a training step on one device."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads import networks as nets
from flaxheads.config import Config
from flaxheads.models import spectral
from flaxheads.networks import Networks
from flaxheads.training import identity_table, objectives
from flaxheads.training.gradient_accumulation import accumulate
from flaxheads.training.model_inputs import ModelInputs
from flaxheads.training.state import embedder_and_generator


def forward_passes(
  config: Config,
  networks: Networks,
  vectors: dict,
  inputs: ModelInputs,
  all_rows: identity_table.AllRows | None = None,
) -> tuple[Callable, Callable]:
  """`generate` and `discriminate` as `objectives.gradients` takes them.

  Args:
    config: Config.
    networks: Networks.
    vectors: of spectral normalisation.
    inputs: ModelInputs.
    all_rows: of other people, as whom D also scores real frames; None: no
      such scores.
  """
  remat = config.training.remat
  keep_blocks = nets.recompute_blocks if remat else lambda function: function

  @keep_blocks
  def generate(params):
    normal = {k: spectral.normalize(params[k], vectors[k]) for k in params}
    embedding = nets.embed_people(
      networks,
      normal['embedder'],
      inputs.support_frames,
      inputs.support_landmarks,
    )
    fake = nets.generate(
      networks,
      normal['generator'],
      inputs.target_landmarks,
      embedding=embedding,
    )
    return fake, embedding

  def discriminate(trained, frames, is_real):
    rows = trained['rows']
    if config.identity_table.real_score_only and not is_real:
      rows = jax.lax.stop_gradient(rows)

    @keep_blocks
    def score(params, rows, frames):
      normal = spectral.normalize(params, vectors['discriminator'])
      return nets.discriminate(
        networks, normal, frames, inputs.target_landmarks, rows
      )

    output = score(trained['params'], rows, frames)
    if not is_real or all_rows is None:
      return output
    scores = nets.score_as_others(
      trained['params'], output.vector, all_rows.rows
    )
    others = all_rows.are_others(inputs.video_index)
    return output._replace(other_scores=jnp.where(others, scores, -jnp.inf))

  return generate, discriminate


class SharedPass(NamedTuple):
  """What one pass of both networks over this device's samples yields."""

  generator: dict  # gradients
  discriminator: dict
  terms: tuple[objectives.GeneratorTerms, objectives.DiscriminatorTerms]
  rows_gradient: jax.Array  # [b, N]
  fake: jax.Array  # x̂, [b, H, W, 3]
  embedding: jax.Array  # ê, [b, N]
  vectors: jax.Array  # V(x, y) of the real frames, [b, N]
  rows: jax.Array  # W_i, [b, N], new ones at ê_i


def _other_rows(config, rows, inputs):
  """AllRows, where the loss asks for them."""
  if not config.loss.mismatch:
    return None
  return identity_table.gather_all(rows, inputs.video_index)


def shared_pass(
  config, networks, vectors, params, inputs, rows, content
) -> SharedPass:
  """Gradients of both steps, from one pass over this device's samples.

  Args:
    config: Config.
    networks: Networks.
    vectors: of spectral normalisation.
    params: of all networks.
    inputs: ModelInputs.
    rows: W_i, [b, N]; zeros where they are still to begin.
    content: (x̂, x, points) -> weighted L_CNT.
  """
  num_parts = config.training.accumulation_steps
  all_rows = _other_rows(config, rows, inputs)

  def run(part):
    inputs, rows = part
    generate, discriminate = forward_passes(
      config, networks, vectors, inputs, all_rows
    )
    found = objectives.gradients(
      embedder_and_generator(params),
      {'params': params['discriminator'], 'rows': rows},
      inputs.target_frame,
      generate=generate,
      discriminate=discriminate,
      content=lambda fake, real: content(fake, real, inputs.target_points),
      weights=config.loss,
      rows=rows,
    )
    averaged = (
      found.generator,
      found.discriminator['params'],
      (found.generator_terms, found.discriminator_terms),
    )
    # A row belongs to one sample: its share of the mean over all parts.
    return averaged, (
      found.discriminator['rows'] / num_parts,
      found.fake,
      found.embedding,
      found.real_output.vector,
      found.rows,
    )

  averaged, stacked = accumulate(run, (inputs, rows), num_parts)
  return SharedPass(*averaged, *stacked)


def later_pass(config, networks, vectors, params, inputs, rows, fake):
  """Gradients of D alone and of the rows, on the same x̂."""
  num_parts = config.training.accumulation_steps
  all_rows = _other_rows(config, rows, inputs)

  def run(part):
    inputs, rows, fake = part
    _, discriminate = forward_passes(
      config, networks, vectors, inputs, all_rows
    )
    gradient, _ = objectives.discriminator_gradients(
      {'params': params, 'rows': rows},
      inputs.target_frame,
      fake,
      discriminate=discriminate,
      weights=config.loss,
    )
    return gradient['params'], gradient['rows'] / num_parts

  return accumulate(run, (inputs, rows, fake), num_parts)
