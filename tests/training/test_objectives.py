"""Who learns from which term: loss terms times groups of parameters."""

import functools
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from flaxheads import networks as nets
from flaxheads.data import pixels
from flaxheads.landmarks.rasterise import rasterise_landmarks
from flaxheads.training import losses, objectives, passes
from flaxheads.training.model_inputs import ModelInputs
from tests import tiny_game

TERMS = ('content', 'adversarial', 'feature_matching', 'match')


@pytest.fixture(scope='module')
def play():
  """Weights of the terms -> Gradients; compiled once for all of them."""
  config = tiny_game.make_config()
  networks = nets.build_networks(config.model)
  params = tiny_game.make_params(config)
  vectors = tiny_game.make_vectors(params)
  frames, points = tiny_game.make_faces(6)
  rng = np.random.default_rng(0)
  # Scores near b = -1.5: the hinge of x̂ is at rest and that of x, which trains
  # W, is not; else the two gradients of b would cancel.
  params['discriminator']['b'] = np.float32(-1.5)
  rows = 1e-3 * rng.normal(size=(2, tiny_game.EMBEDDING_SIZE))
  rows = rows.astype(np.float32)
  params['discriminator']['w0'] *= np.float32(1e-2)

  @jax.jit
  def run(weights):
    x = pixels.to_float(frames).reshape(2, 3, *frames.shape[1:])
    y = rasterise_landmarks(points, tiny_game.SIZE).reshape(x.shape)
    sample = ModelInputs(x[:, :2], y[:, :2], x[:, 2], y[:, 2], None, None)
    generate, discriminate = passes.forward_passes(
      config, networks, vectors, sample
    )
    return objectives.gradients(
      {name: params[name] for name in ('embedder', 'generator')},
      {'params': params['discriminator'], 'rows': rows},
      sample.target_frame,
      generate=generate,
      discriminate=discriminate,
      content=lambda fake, real: (
        weights['content'] * losses.pyramid_loss(fake, real)
      ),
      weights=SimpleNamespace(**weights),
      rows=rows,
    )

  @functools.cache
  def play(*terms):
    weights = {name: np.float32(name in terms) for name in TERMS}
    return jax.device_get(run(weights))

  return play


def _size(tree):
  return max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(tree))


def _groups(found):
  generator = dict(found.generator['generator'])
  projection = generator.pop('projection')
  return {
    'E': found.generator['embedder'],
    'G': generator,
    'P': projection,
  }


@pytest.mark.parametrize(
  'term, learners',
  [
    ('content', 'EGP'),
    ('adversarial', 'EGP'),
    ('feature_matching', 'EGP'),
    ('match', 'E'),
  ],
)
def test_who_learns_from_a_term(play, term, learners):
  for name, tree in _groups(play(term)).items():
    if name in learners:
      assert _size(tree) > 1e-6, name
    else:
      assert _size(tree) == 0, name


@pytest.mark.parametrize('term', ['content', 'adversarial', 'feature_matching'])
def test_every_kernel_of_g_learns_from_every_term_on_images(play, term):
  generator = play(term).generator['generator']
  for path, leaf in jax.tree_util.tree_leaves_with_path(generator):
    if path[-1].key == 'kernel':
      assert np.abs(leaf).max() > 0, jax.tree_util.keystr(path)


def test_nobody_learns_from_nothing(play):
  assert _size(play().generator) == 0


def test_discriminator_learns_from_the_hinge_and_from_nothing_else(play):
  alone = play().discriminator
  for group in ('w0', 'b', 'trunk'):
    assert _size(alone['params'][group]) > 1e-6, group
  assert (np.abs(alone['rows']).max(1) > 1e-4).all()
  for term in TERMS:
    tiny_game.assert_trees_equal(play(term).discriminator, alone)


def test_the_gradient_of_the_sum_is_the_sum_of_the_gradients(play):
  parts = [play(term).generator for term in TERMS]
  whole = play(*TERMS).generator
  summed = jax.tree.map(lambda *leaves: sum(leaves), *parts)
  scale = _size(whole)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4 * scale),
    whole,
    summed,
  )


def test_terms_are_reported_with_their_weights(play):
  terms = play(*TERMS).generator_terms
  for term in TERMS:
    assert np.isfinite(getattr(terms, term))
    assert getattr(terms, term) != 0
    alone = play(term).generator_terms
    for other in TERMS:
      wanted = getattr(terms, other) if other == term else 0
      assert getattr(alone, other) == pytest.approx(wanted, rel=1e-5), other


def test_scores_make_the_reported_loss(play):
  found = play()
  hinge = found.discriminator_terms.hinge
  assert hinge > 0
  # Jensen: the hinge of the means is never more than the mean of hinges.
  low = max(0, 1 + found.discriminator_terms.fake_score)
  high = max(0, 1 - found.discriminator_terms.real_score)
  assert low + high <= hinge + 1e-5
