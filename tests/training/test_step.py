"""One meta-training step: what moves and by how much, EMA, rates, memory.

Adam with a large epsilon is nearly plain descent, so that a difference in an
update is a difference in a gradient; with the usual epsilon it would be the
sign of rounding errors.
"""

import dataclasses

import jax
import numpy as np
import pytest

from flaxheads import networks as nets
from flaxheads.config import OptimizerConfig
from flaxheads.data import pixels
from flaxheads.training import optimizers, parallel
from tests import tiny_game

BATCH = 8
VIDEOS = (3, 60, 3, 8, 17, 25, 33, 41)  # one of them twice, on all shards
RATE = 1e-2


@pytest.fixture(scope='module')
def config():
  config = tiny_game.make_config(batch_size=BATCH, num_steps=100)
  config.data.num_support = 1
  config.loss.mismatch = 0.5
  config.optimizer = OptimizerConfig(
    generator_learning_rate=RATE, discriminator_learning_rate=RATE, epsilon=1.0
  )
  config.identity_table.learning_rate = RATE
  return config


@pytest.fixture(scope='module')
def start(config):
  return tiny_game.make_state(config)


def _compile(config):
  mesh = parallel.make_mesh(1)
  step = tiny_game.make_step(config, mesh)

  def run(state):
    batch = tiny_game.make_batch(config, BATCH, video_index=VIDEOS)
    placed = parallel.place(batch, mesh, parallel.SHARDED)
    return step(tiny_game.place_state(state, mesh), placed, {})

  return run


@pytest.fixture(scope='module')
def one_device(config):
  return _compile(config)


@pytest.fixture(scope='module')
def after_one(one_device, start):
  return one_device(start)


def _difference(first, second, start):
  """The largest difference of an update, relative to its leaf's largest."""
  worst = 0.0
  for one, other, old in zip(
    *map(jax.tree.leaves, (first, second, start)), strict=True
  ):
    one, other = np.asarray(one) - old, np.asarray(other) - old
    worst = max(worst, np.abs(one - other).max() / (np.abs(one).max() + 1e-5))
  return worst


def test_saving_memory_changes_nothing(config, after_one, start):
  one, metrics = after_one
  thrifty = dataclasses.replace(
    config,
    training=dataclasses.replace(
      config.training, accumulation_steps=4, remat=True
    ),
  )
  other, others = _compile(thrifty)(start)
  for term, same in zip(
    jax.tree.leaves(metrics), jax.tree.leaves(others), strict=True
  ):
    np.testing.assert_allclose(term, same, rtol=2e-4, atol=1e-6)
  assert _difference(one.params, other.params, start.params) < 5e-3
  assert _difference(one.table.rows, other.table.rows, start.table.rows) < 5e-3
  np.testing.assert_array_equal(one.table.last_visit, other.table.last_visit)


def test_a_step_is_deterministic(one_device, after_one, start):
  tiny_game.assert_trees_equal(one_device(start), after_one)


def test_generator_moves_once_and_discriminator_twice(after_one, config):
  state, _ = after_one
  assert state.step == 1
  assert state.generator_optimizer.count == 1
  assert config.training.discriminator_updates == 2
  assert state.discriminator_optimizer.count == 2
  visits = np.asarray(state.table.last_visit)  # both updates touch the row
  assert (visits[list(VIDEOS)] == 2).all()
  assert visits.sum() == 2 * len(set(VIDEOS))


def test_rows_of_other_videos_do_not_move(after_one, start):
  others = np.setdiff1d(np.arange(64), VIDEOS)
  rows = np.asarray(after_one[0].table.rows)
  np.testing.assert_array_equal(rows[others], start.table.rows[others])
  visited = sorted(set(VIDEOS))
  moved = (rows[visited] != start.table.rows[visited]).any(1)
  # A real frame that D scores above the hinge's margin has no gradient.
  graded = (np.asarray(after_one[0].table.second_moment)[visited] > 0).any(1)
  np.testing.assert_array_equal(moved, graded)
  assert moved.sum() > len(visited) / 2


def test_average_follows_its_formula(after_one, start):
  state, _ = after_one  # at step 0 the decay is (1 + 0) / (10 + 0)

  def check(average, before, params):
    wanted = 0.1 * before + 0.9 * np.asarray(params)
    np.testing.assert_allclose(average, wanted, rtol=1e-5, atol=1e-6)

  for name in ('embedder', 'generator'):
    jax.tree.map(check, state.ema[name], start.ema[name], state.params[name])


def test_every_network_moves(after_one, start):
  state, _ = after_one
  for name in nets.NETWORKS:
    moved = jax.tree.map(
      lambda new, old: np.abs(np.asarray(new) - old).max(),
      state.params[name],
      start.params[name],
    )
    for path, most in jax.tree_util.tree_leaves_with_path(moved):
      if path[-1].key == 'kernel':
        assert most > 0, jax.tree_util.keystr(path)


@pytest.mark.parametrize(
  'warmup, decay, wanted',
  [
    (0, 0, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    (4, 0, [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1]),
    (0, 4, [1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]),
    (2, 2, [0.5, 1, 1, 1, 1, 1, 1, 1, 1, 0.5]),
  ],
)
def test_learning_rate_rises_and_falls(warmup, decay, wanted):
  settings = OptimizerConfig(warmup_steps=warmup, decay_steps=decay)
  scales = [
    optimizers.learning_rate_scale(np.array(step), settings, 10)
    for step in range(10)
  ]
  np.testing.assert_allclose(scales, wanted, rtol=1e-6)


def test_frames_survive_the_round_trip_through_float():
  bytes_ = np.arange(256, dtype=np.uint8)
  frames = pixels.to_float(bytes_)
  assert (frames.min(), frames.max()) == (-1, 1)
  np.testing.assert_array_equal(pixels.to_uint8(frames), bytes_)
  np.testing.assert_array_equal(
    pixels.to_uint8(np.array([-3.0, 3.0])), [0, 255]
  )
