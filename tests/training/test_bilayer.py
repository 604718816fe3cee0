"""The bi-layer step: what moves, eight devices, resuming.

In float64 and with a large epsilon, as in test_many_devices.py.
"""

import functools

import jax
import numpy as np
import pytest

from flaxheads import bilayer_networks as nets
from flaxheads.bilayer_config import BilayerConfig
from flaxheads.config import from_dict
from flaxheads.errors import UserError
from flaxheads.training import (
  bilayer,
  bilayer_losses,
  bilayer_step,
  loop,
  parallel,
)
from tests import tiny_bilayer, tiny_game

BATCH = 8
VIDEOS = (3, 60, 3, 8, 17, 25, 33, 41)  # one of them twice, on two devices
EPSILON = 1e4


@pytest.fixture(scope='module')
def config():
  config = tiny_bilayer.make_config(batch_size=BATCH, num_steps=100)
  config.data.num_support = 1
  config.model.dtype = 'float64'  # refused to users
  config.optimizer.epsilon = EPSILON
  config.optimizer.b1, config.optimizer.b2 = 1e-30, 0.999
  config.optimizer.generator_learning_rate = 1e-3 * EPSILON
  config.optimizer.discriminator_learning_rate = 1e-3 * EPSILON
  config.identity_table.learning_rate = 1e-3 * EPSILON
  return config


@pytest.fixture(scope='module')
def start(config):
  return tiny_game.as_float64(tiny_bilayer.make_state(config))


def _run(config, start, num_devices, num_steps=2):
  mesh = parallel.make_mesh(num_devices)
  networks = nets.build_networks(config.model)
  states = []
  with jax.enable_x64(True):
    step = bilayer_step.make_train_step(
      config, networks, bilayer_losses.load_perceptual(config), mesh
    )
    state = tiny_game.place_state(start, mesh)
    for seed in range(num_steps):
      batch = tiny_bilayer.make_batch(config, BATCH, seed, VIDEOS)
      placed = parallel.place(batch, mesh, parallel.SHARDED)
      state, metrics = step(state, placed, {})
      states.append(jax.device_get(state))
  return states, jax.device_get(metrics)


@pytest.fixture(scope='module')
def one(config, start):
  return _run(config, start, 1)


@pytest.fixture(scope='module')
def eight(config, start):
  return _run(config, start, 8)


def test_every_gradient_of_eight_devices_is_that_of_one(one, eight):
  def gradients(run):
    state = run[0][0]
    return {
      'E, G and P': state.generator_optimizer.mu,
      'D': state.discriminator_optimizer.mu,
      'W': state.table.second_moment,  # of squares
    }

  ours, theirs = gradients(one), gradients(eight)
  zeros = jax.tree.map(np.zeros_like, ours)
  difference, layer = tiny_game.worst_layer(ours, theirs, zeros)
  assert difference < 1e-10, layer
  # Nothing is left out: a gradient reaches every parameter.
  for path, gradient in jax.tree_util.tree_leaves_with_path(ours):
    assert np.any(gradient), jax.tree_util.keystr(path)


def test_the_state_after_two_steps_is_the_same_on_eight(one, eight, start):
  def parts(state):
    return {'params': state.params, 'ema': state.ema, 'rows': state.table.rows}

  ours, theirs = one[0][-1], eight[0][-1]
  difference, layer = tiny_game.worst_layer(*map(parts, (ours, theirs, start)))
  assert difference < 1e-9, layer
  assert ours.step == theirs.step == 2
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12),
    one[1],
    eight[1],
  )


def _once(make):
  """`make`, which gives what it made the first time."""
  made = []

  def make_once(*arguments):
    made.extend(() if made else (make(*arguments),))
    return made[0]

  return make_once


def test_the_state_of_these_tests_is_like_the_real_one():
  config = tiny_bilayer.make_config()
  real = bilayer.make_recipe(config).describe_state(5, parallel.make_mesh(1))
  fake = tiny_bilayer.make_state(config)
  assert jax.tree.structure(real) == jax.tree.structure(fake)
  for one, other in zip(
    jax.tree.leaves(real), jax.tree.leaves(fake), strict=True
  ):
    assert (one.shape, one.dtype) == (other.shape, other.dtype)


def test_a_run_resumes_exactly(tmp_path, monkeypatch):
  source = [tiny_bilayer.make_record(video) for video in range(4)]
  monkeypatch.setattr(loop.pipeline, 'make_source', lambda *_: source)
  config = tiny_bilayer.make_config()
  # Without D: what a short run trains.
  config.loss.adversarial = config.loss.feature_matching = 0.0
  config.loss.match = 0.0
  # One program and one preview for all runs. The state is that of tests: its
  # initialisers compile for longer than all the rest.
  recipe = bilayer.make_recipe(config)
  recipe = recipe._replace(
    make_step=functools.cache(recipe.make_step),
    make_preview=_once(recipe.make_preview),
    create_state=lambda _, mesh: tiny_game.place_state(
      tiny_bilayer.make_state(config), mesh
    ),
  )

  def train(name, num_steps):
    config.training.num_steps = num_steps
    return loop.train(recipe, config, str(tmp_path / name), 1)

  whole, scalars = train('whole', 4)
  first, _ = train('parts', 2)
  first = jax.device_get(first)
  resumed, _ = train('parts', 4)
  tiny_game.assert_trees_equal(resumed, whole)
  assert scalars['people/l1'] > 0
  # D is not asked for: it stays as it was.
  tiny_game.assert_trees_equal(
    first.params['discriminator'], whole.params['discriminator']
  )
  moved = jax.tree.map(
    lambda a, b: np.any(a != b),
    first.params['generator'],
    whole.params['generator'],
  )
  assert all(jax.tree.leaves(moved))


@pytest.mark.parametrize(
  'values, complaint',
  [
    ({'model': {'window_size': 70}}, 'window_size: 70'),
    ({'loss': {'match': 1.0}}, 'need a discriminator'),
    ({'perceptual': {'lpips_alex': 'a', 'lpips_vgg': 'b'}}, 'name one of'),
    ({'data': {'still_share': 1.5}}, 'still_share'),
    ({'kind': 'x2face'}, 'kind'),
  ],
)
def test_bad_configs_are_named(values, complaint):
  with pytest.raises(UserError, match=complaint):
    from_dict(values, BilayerConfig)
