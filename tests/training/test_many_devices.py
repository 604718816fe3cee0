"""Eight devices are one: every gradient, and the state after five steps.

With b1 = 0 the first moment of Adam is the gradient itself, and with a large
epsilon Adam is plain descent: it does not amplify rounding where a gradient is
zero. A collective that is taken out must show.
"""

import jax
import numpy as np
import pytest

from flaxheads.config import OptimizerConfig
from flaxheads.training import parallel
from tests import tiny_game
from tests.tiny_game import quick_compiles  # noqa: F401

BATCH = 8
VIDEOS = (3, 60, 3, 8, 17, 25, 33, 41)  # one of them twice, on two devices
EPSILON = 1e4
RATE = 1e-3 * EPSILON


@pytest.fixture(scope='module')
def config():
  config = tiny_game.make_config(
    batch_size=BATCH, num_steps=100, discriminator_updates=1
  )
  config.data.num_support = 1
  config.optimizer = OptimizerConfig(
    generator_learning_rate=RATE, discriminator_learning_rate=RATE, b1=0.0
  )
  config.optimizer.epsilon = EPSILON  # beyond what a user may ask for
  return config


@pytest.fixture(scope='module')
def start(config):
  return tiny_game.make_state(config)


def _steps(config, start, num_devices, num_steps):
  """States after each of the first steps."""
  mesh = parallel.make_mesh(num_devices)
  step = tiny_game.make_step(config, mesh)
  state, states = tiny_game.place_state(start, mesh), []
  for seed in range(num_steps):
    batch = tiny_game.make_batch(config, BATCH, seed, video_index=VIDEOS)
    placed = parallel.place(batch, mesh, parallel.SHARDED)
    state, _ = step(state, placed, {})
    states.append(jax.device_get(state))
  return states


@pytest.fixture(scope='module')
def one(config, start):
  return _steps(config, start, 1, 5)


@pytest.fixture(scope='module')
def eight(config, start):
  return _steps(config, start, 8, 5)


def _gradients(state):
  return {
    'E, G and P': state.generator_optimizer.mu,
    'D': state.discriminator_optimizer.mu,
    'W': state.table.first_moment,
  }


def _worst(ours, theirs):
  return tiny_game.worst_layer(ours, theirs, jax.tree.map(np.zeros_like, ours))


def test_every_gradient_of_eight_devices_is_that_of_one(one, eight):
  ours, theirs = _gradients(one[0]), _gradients(eight[0])
  difference, leaf = _worst(ours, theirs)
  assert difference < 1e-5, leaf
  for path, gradient in jax.tree_util.tree_leaves_with_path(ours):
    assert np.any(gradient), jax.tree_util.keystr(path)


def test_the_whole_state_after_five_steps(one, eight, start):
  def parts(state):
    return {'params': state.params, 'ema': state.ema, 'rows': state.table.rows}

  # The kinks of L1 and of the hinge amplify rounding from step to step.
  for steps, tolerance in ((1, 1e-4), (5, 0.05)):
    difference, layer = tiny_game.worst_layer(
      parts(one[steps - 1]), parts(eight[steps - 1]), parts(start)
    )
    assert difference < tolerance, layer
  np.testing.assert_array_equal(one[-1].table.updates, eight[-1].table.updates)
  assert one[-1].step == eight[-1].step == 5


@pytest.mark.parametrize(
  'collective, without',
  [
    ('mean', lambda tree: tree),
    ('all_gather', lambda x: jax.numpy.tile(x, (8,) + (1,) * (x.ndim - 1))),
    ('sum_scatter', lambda x: x[: x.shape[0] // 8]),
    ('count', lambda: 1),
    ('index', lambda: 0),
  ],
)
def test_without_a_collective_it_shows(
  config, one, start, monkeypatch, collective, without
):
  monkeypatch.setattr(parallel, collective, without)
  (broken,) = _steps(config, start, 8, 1)
  difference, _ = _worst(_gradients(one[0]), _gradients(broken))
  assert difference > 1e-2
