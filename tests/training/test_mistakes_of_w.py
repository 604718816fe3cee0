"""Mistakes in the training of W; the others are in tests/test_mistakes.py."""

import copy
import functools
import importlib
from types import SimpleNamespace

import jax
import numpy as np
import optax
import pytest

from flaxheads import networks as nets
from flaxheads.data import pixels
from flaxheads.landmarks.rasterise import rasterise_landmarks
from flaxheads.models import embedder
from flaxheads.models.discriminator import DiscriminatorOutput
from flaxheads.training import (
  identity_table,
  losses,
  model_inputs,
  objectives,
  parallel,
  passes,
  state,
)
from flaxheads.training.state import STATE_SPECS
from tests import tiny_game


@pytest.fixture(scope='module')
def experiment():
  return tiny_game.make_config(discriminator_updates=1)


@pytest.fixture(scope='module')
def model(experiment):
  return tiny_game.make_model(experiment)


@pytest.mark.parametrize('real_score_only', [True, False])
def test_mistake_16_w_learns_from_the_score_that_the_config_names(
  experiment, model, real_score_only
):
  config = copy.deepcopy(experiment)
  config.identity_table.real_score_only = real_score_only
  batch = tiny_game.make_batch(config, 2)
  frames = pixels.to_float(batch.frames)
  y = rasterise_landmarks(batch.points, tiny_game.SIZE)
  inputs = model_inputs.ModelInputs(
    *(frames[:, :-1], y[:, :-1], frames[:, -1], y[:, -1]),
    *(batch.points[:, -1], batch.video_index),
  )
  vectors = {'discriminator': model.spectral['discriminator']}
  _, discriminate = passes.forward_passes(
    config, model.networks, vectors, inputs
  )
  trained = {
    'params': model.params['discriminator'],
    'rows': np.ones((2, tiny_game.EMBEDDING_SIZE), np.float32),
  }

  @functools.partial(jax.jit, static_argnums=1)
  def slope(rows, is_real):
    def score(rows):
      given = {**trained, 'rows': rows}
      return discriminate(given, inputs.target_frame, is_real).score.sum()

    return jax.grad(score)(rows)

  assert np.abs(slope(trained['rows'], True)).max() > 1e-3
  learns = np.abs(slope(trained['rows'], False)).max() > 1e-3
  assert learns == (not real_score_only)


def test_mistake_16_a_rare_row_moves_as_in_dense_adam():
  # The whole history, row by row, is in tests/training/test_identity_table.py.
  settings = {'learning_rate': 2e-4, 'b2': 0.999, 'epsilon': 1e-5}
  table = identity_table.init_table(jax.random.key(0), 64, 4, 0.1)
  split, whole = parallel.SHARDED, parallel.REPLICATED
  update = parallel.pmap(
    functools.partial(identity_table.update, **settings),
    parallel.make_mesh(1),
    in_specs=(STATE_SPECS.table, split, split, whole),
    out_specs=STATE_SPECS.table,
  )
  start = np.array(table.rows[7])
  gradient, visits = np.ones((1, 4), np.float32), range(5000, 30_000, 5000)
  for count in visits:
    index = np.array([7], np.int32)
    table = update(table, index, gradient, np.int32(count))
  moved = (start - np.asarray(table.rows[7])) / len(visits)
  np.testing.assert_allclose(moved, 2e-4 / np.sqrt(1e-3), rtol=0.02)


def _match(rows):
  """ê of 64 people after L_MCH alone has trained a linear E: [64, N]."""
  rng = np.random.default_rng(0)
  faces = 0.1 + rng.normal(size=(len(rows), 4, 4, 48)) / 4
  faces = faces.astype(np.float32)
  kernel = rng.normal(size=(48, rows.shape[1])).astype(np.float32) / 20
  optimizer = optax.adam(1e-4, b1=0.0)

  def embed(kernel):
    return embedder.pool(faces @ kernel, 'sum_relu')

  def step(_, carry):
    kernel, moments = carry
    slope = jax.grad(lambda k: losses.match_loss(embed(k), rows))(kernel)
    updates, moments = optimizer.update(slope, moments)
    return optax.apply_updates(kernel, updates), moments

  start = kernel, optimizer.init(kernel)
  train = jax.jit(lambda start: jax.lax.fori_loop(0, 500, step, start)[0])
  return np.asarray(embed(train(start)))


def test_mistake_16_w_starts_where_an_embedding_can_follow():
  size = 0.4
  table = identity_table.init_table(jax.random.key(0), 64, 16, size)
  rows = np.asarray(table.rows)
  assert rows.min() >= 0 and rows.max() > 0.9 * size
  assert (_match(rows) > 0).mean() > 0.3
  # About zero, half of the rows are out of reach, and the median is 0.
  assert (_match(rows - size / 2) > 0).mean() < 0.1


def test_mistake_16_a_new_row_asks_nothing_of_the_embedder():
  embedding = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
  rows = np.array([[0, 0], [1, 1]], np.float32)  # the first is new

  def discriminate(params, frames, is_real):
    del is_real
    score = (frames * params['rows']).sum(-1)
    return DiscriminatorOutput(score, [frames[:, None, None]], frames)

  found = objectives.gradients(
    jax.numpy.asarray(embedding),
    {'rows': rows},
    np.ones_like(embedding),
    generate=lambda embedding: (2 * embedding, embedding),
    discriminate=discriminate,
    content=lambda fake, real: 0.0,
    weights=SimpleNamespace(adversarial=0.0, feature_matching=0.0, match=1.0),
    rows=rows,
  )
  begun = np.array([[0.1, 0.2], [1, 1]], np.float32)
  np.testing.assert_array_equal(found.rows, begun)
  # L_MCH: of the new row nothing, of the other 1 / (2 * 2) for each element.
  np.testing.assert_array_equal(found.generator, [[0, 0], [-0.25, -0.25]])
  # The hinge of x̂ is active, that of x is not where D sees W_i = 1.
  np.testing.assert_allclose(
    found.discriminator['rows'],
    (2 * embedding - [[1], [0]]) / 2,
    rtol=1e-6,
  )


def test_mistake_16_the_sum_with_w0_starts_centred(experiment, monkeypatch):
  params = tiny_game.make_params(experiment)
  w0 = params['discriminator']['w0'].copy()
  monkeypatch.setattr(state, 'init_params', lambda *_: params)
  monkeypatch.setattr(state.spectral, 'power_iteration', lambda *_, **__: {})
  monkeypatch.setattr(state.spectral, 'init_spectral', lambda *_: {})
  made = state.init_random_parts(experiment, None, 4096)
  rows = np.asarray(made.table.rows)
  assert rows.min() >= 0
  centre = rows.mean(0) + np.asarray(made.params['discriminator']['w0'])
  np.testing.assert_allclose(centre, w0, atol=0.01)


def test_mistake_16_w0_centres_rows_that_begin_as_embeddings(experiment):
  networks = nets.build_networks(experiment.model)
  before = tiny_game.make_state(experiment)
  batch = tiny_game.make_batch(experiment, 4)
  after = state.centre(networks, before, batch)
  w0 = before.params['discriminator']['w0']
  mean = w0 - np.asarray(after.params['discriminator']['w0'])
  assert (mean >= 0).all() and mean.max() > 0.1
  # Centring them again finds the same mean: nothing else has changed.
  again = state.centre(networks, after, batch)
  twice = w0 - np.asarray(again.params['discriminator']['w0'])
  np.testing.assert_allclose(twice, 2 * mean, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('name', ['voxceleb2_256', 'voxceleb2_256_ff', 'gpu_8'])
def test_mistake_19_paper_configs_keep_a_video_as_its_row_knows_it(name):
  augment = importlib.import_module(f'configs.{name}').get_config().augment
  assert not augment.flip and augment.colour == 0
