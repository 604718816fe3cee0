"""Eight devices are one: every gradient, and the state after three steps.

In float64: in float32 rounding turns the sign of a ReLU or of an L1 in every
other batch, which allows no close comparison. XLA has no quick float64
convolution for CPUs, so the images are the smallest that a model may have.

With b1 next to 0, but not 0, Adam keeps a first moment, the gradient. With a
large epsilon Adam is plain descent: it does not amplify rounding where a
gradient is zero. The comparison must fail where a collective is removed.
"""

from typing import NamedTuple

import jax
import numpy as np
import pytest

from flaxheads.config import OptimizerConfig
from flaxheads.training import parallel
from flaxheads.training.state import TrainState
from tests import tiny_game

BATCH = 8
NUM_STEPS = 3
VIDEOS = (3, 60, 3, 8, 17, 25, 33, 41)  # one of them twice, on two devices
EPSILON = 1e4
RATE = 1e-3 * EPSILON


@pytest.fixture(scope='module')
def config():
  config = tiny_game.make_config(
    batch_size=BATCH, num_steps=100, discriminator_updates=1
  )
  config.data.num_support = 1
  config.loss.mismatch = 1.0
  config.optimizer = OptimizerConfig(
    generator_learning_rate=RATE, discriminator_learning_rate=RATE, b1=1e-30
  )
  config.identity_table.learning_rate = RATE
  config.optimizer.epsilon = EPSILON  # beyond what a user may ask for
  config.model.dtype = 'float64'  # refused above, too
  config.model.image_size, config.model.bottleneck_size = 32, 8
  return config


@pytest.fixture(scope='module')
def start(config):
  state = tiny_game.as_float64(tiny_game.make_state(config))
  state.table.rows[list(VIDEOS[:3])] = 0  # new rows, which begin as ê
  # Some real frames lie within the hinge's margin: the others give W nothing.
  state.params['discriminator']['b'] -= 20
  return state


class _Run(NamedTuple):
  """What the first steps gave: their metrics, states, the last state placed."""

  metrics: list
  states: list
  placed: TrainState


def _run(config, start, num_devices, num_steps) -> _Run:
  mesh = parallel.make_mesh(num_devices)
  with jax.enable_x64(True):
    step = tiny_game.make_step(config, mesh)
    run = _Run([], [], tiny_game.place_state(start, mesh))
    for seed in range(num_steps):
      batch = tiny_game.make_batch(config, BATCH, seed, video_index=VIDEOS)
      batch = parallel.place(batch, mesh, parallel.SHARDED)
      placed, metrics = step(run.placed, batch, {})
      run.metrics.append(jax.device_get(metrics))
      run.states.append(jax.device_get(placed))
      run = run._replace(placed=placed)
  return run


@pytest.fixture(scope='module')
def one(config, start):
  return _run(config, start, 1, NUM_STEPS)


@pytest.fixture(scope='module')
def eight(config, start):
  return _run(config, start, 8, NUM_STEPS)


def _replicas_differ(tree):
  """Whether the copies of a replicated leaf differ between devices."""
  return any(
    not np.array_equal(leaf.addressable_shards[0].data, shard.data)
    for leaf in jax.tree.leaves(tree)
    for shard in leaf.addressable_shards
  )


def _gradients(state, start):
  moved = state.table.rows - start.table.rows  # plain descent
  new = list(VIDEOS[:3])  # from ê, which is larger than a step
  return {
    'E, G and P': state.generator_optimizer.mu,
    'D': state.discriminator_optimizer.mu,
    'W': {'rows': np.delete(moved, new, 0)},
    'new rows of W': {'rows': moved[new]},
  }


def _worst(ours, theirs):
  return tiny_game.worst_layer(ours, theirs, jax.tree.map(np.zeros_like, ours))


def test_every_gradient_of_eight_devices_is_that_of_one(one, eight, start):
  ours, theirs = (_gradients(run.states[0], start) for run in (one, eight))
  difference, layer = _worst(ours, theirs)
  assert difference < 1e-10, layer
  for path, gradient in jax.tree_util.tree_leaves_with_path(ours):
    assert np.any(gradient), jax.tree_util.keystr(path)


def test_the_whole_state_after_three_steps(one, eight, start):
  def parts(state):
    return {'params': state.params, 'ema': state.ema, 'rows': state.table.rows}

  ours, theirs = one.states[-1], eight.states[-1]
  difference, layer = tiny_game.worst_layer(*map(parts, (ours, theirs, start)))
  assert difference < 1e-9, layer
  np.testing.assert_array_equal(ours.table.last_visit, theirs.table.last_visit)
  assert ours.step == theirs.step == NUM_STEPS


def test_metrics_are_those_of_the_whole_batch(one, eight):
  for term, same in zip(
    *map(jax.tree.leaves, (one.metrics[0], eight.metrics[0])), strict=True
  ):
    np.testing.assert_allclose(term, same, rtol=1e-6, atol=1e-9)


def test_replicas_stay_equal_and_the_table_is_split(eight):
  shards = eight.placed.table.rows.addressable_shards
  assert len(shards) == 8 and shards[0].data.shape[0] == 8
  assert not _replicas_differ(eight.placed.replace(table=None))


def test_without_the_mean_of_gradients_it_shows(
  config, one, start, monkeypatch
):
  """The other collectives: test_identity_table.py."""
  monkeypatch.setattr(parallel, 'mean', lambda tree: tree)
  broken = _run(config, start, 8, 1)
  difference, _ = _worst(
    *(_gradients(run.states[0], start) for run in (one, broken))
  )
  assert difference > 1e-2
  assert _replicas_differ(broken.placed.params)
