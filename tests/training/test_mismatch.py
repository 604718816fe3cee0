"""Real frames scored as other people's: against scores asked one by one."""

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads.models.discriminator import DiscriminatorOutput
from flaxheads.training import identity_table, losses, objectives, passes
from flaxheads.training.model_inputs import ModelInputs
from tests import tiny_game

VIDEOS = np.array([3, 8, 3, 5], np.int32)  # one of them twice
NEW = 3  # has no row yet


def test_the_hinge_is_the_mean_over_pairs_that_count():
  scores = np.array([[0.5, -np.inf, -3.0], [-np.inf, 2.0, -np.inf]])
  # ((1.5 + 0) / 2 + 3) / 2
  assert losses.mismatch_loss(jnp.array(scores)) == pytest.approx(1.875)
  slope = jax.grad(losses.mismatch_loss)(jnp.array(scores))
  np.testing.assert_allclose(slope, [[0.25, 0, 0], [0, 0.5, 0]])


def test_a_batch_of_one_person_has_no_other():
  scores = jnp.full((2, 2), -jnp.inf)
  value, slope = jax.value_and_grad(losses.mismatch_loss)(scores)
  assert value == 0 and (slope == 0).all()


def test_d_scores_every_pair_as_if_asked_for_it():
  config = tiny_game.make_config()
  config.model.image_size = 32
  model = tiny_game.make_model(config)
  rng = np.random.default_rng(0)
  rows = rng.normal(size=(4, tiny_game.EMBEDDING_SIZE)).astype(np.float32)
  rows[NEW] = 0
  frames, y = rng.uniform(-1, 1, (2, 4, 32, 32, 3)).astype(np.float32)
  inputs = ModelInputs(None, None, frames, y, None, VIDEOS)
  vectors = {'discriminator': model.spectral['discriminator']}
  everybody = identity_table.AllRows(rows, VIDEOS)
  _, discriminate = passes.forward_passes(
    config, model.networks, vectors, inputs, everybody
  )
  params = model.params['discriminator']

  @functools.partial(jax.jit, static_argnums=1)
  def score(rows, is_real):
    return discriminate({'params': params, 'rows': rows}, frames, is_real)

  found = score(rows, True).other_scores
  for j, row in enumerate(rows):
    asked = score(np.tile(row, (4, 1)), True).score
    counts = (VIDEOS != VIDEOS[j]) & (j != NEW)
    np.testing.assert_allclose(found[counts, j], asked[counts], rtol=1e-4)
    assert (found[~counts, j] == -np.inf).all()
  assert jax.eval_shape(lambda: score(rows, False)).other_scores is None


@jax.jit
def _gradients(frames, rows, v, mismatch):
  """Of D(x, i) = tanh(x v) W_i, whose frames are told from all other rows."""

  def discriminate(trained, frames, is_real):
    vector = jnp.tanh(frames @ trained['v'])
    output = DiscriminatorOutput(
      (vector * trained['rows']).sum(-1), [vector[:, None, None]], vector
    )
    if not is_real:
      return output
    scores = jnp.where(np.eye(len(rows)), -jnp.inf, vector @ rows.T)
    return output._replace(other_scores=scores)

  weights = SimpleNamespace(
    adversarial=0.0, feature_matching=0.0, match=0.0, mismatch=mismatch
  )
  trained = {'v': v, 'rows': rows}
  return objectives.gradients(
    0.1 * frames,
    trained,
    frames,
    generate=lambda fake: (fake, jnp.zeros_like(rows)),
    discriminate=discriminate,
    content=lambda fake, real: 0.0,
    weights=weights,
    rows=rows,
  ), objectives.discriminator_gradients(
    trained, frames, 0.1 * frames, discriminate=discriminate, weights=weights
  )[0]


def test_d_learns_from_it_and_rows_do_not():
  rng = np.random.default_rng(1)
  frames, rows = rng.normal(size=(2, 4, 6)).astype(np.float32)
  v = rng.normal(size=(6, 6)).astype(np.float32) / 2
  without, _ = _gradients(frames, rows, v, 0.0)
  with_it, again = _gradients(frames, rows, v, 0.7)

  def mean_hinge(v):
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    return sum(
      jnp.maximum(0, 1 + jnp.tanh(frames[i] @ v) @ rows[j]) for i, j in pairs
    ) / len(pairs)

  value, slope = jax.jit(jax.value_and_grad(mean_hinge))(v)
  assert np.abs(slope).max() > 1e-2
  terms = with_it.discriminator_terms
  assert terms.mismatch == pytest.approx(0.7 * float(value), rel=1e-5)
  assert terms.hinge == without.discriminator_terms.hinge
  added = with_it.discriminator['v'] - without.discriminator['v']
  np.testing.assert_allclose(added, 0.7 * slope, rtol=1e-4, atol=1e-5)
  np.testing.assert_array_equal(
    with_it.discriminator['rows'], without.discriminator['rows']
  )
  for name, leaf in again.items():
    np.testing.assert_allclose(leaf, with_it.discriminator[name], rtol=1e-5)
