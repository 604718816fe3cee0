"""Whose run a folder holds: other experiments are named and refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads import config as c
from flaxheads.errors import UserError
from flaxheads.training import checkpoints, identity_table
from flaxheads.training import networks as nets
from flaxheads.training.state import TrainState, adam
from tests import tiny_game


@pytest.fixture
def claimed(tmp_path):
  folder = tmp_path / 'runs' / 'one'
  checkpoints.claim_workdir(str(folder), tiny_game.make_config())
  return folder


@pytest.mark.parametrize(
  'part, field, value, message',
  [
    (None, 'seed', 3, 'seed=0, not 3'),
    ('model', 'image_size', 128, 'model.image_size=64, not 128'),
    ('loss', 'match', 0.0, 'loss.match=10.0, not 0.0'),
    ('data', 'num_support', 8, 'data.num_support=2, not 8'),
    ('augment', 'flip', False, 'augment.flip=True, not False'),
    ('optimizer', 'b1', 0.75, r'optimizer.b1=[\d.]+, not 0.75'),
    ('training', 'batch_size', 4, 'training.batch_size=2, not 4'),
  ],
)
def test_another_experiment_is_refused(claimed, part, field, value, message):
  config = tiny_game.make_config()
  setattr(getattr(config, part) if part else config, field, value)
  with pytest.raises(UserError, match=message) as caught:
    checkpoints.claim_workdir(str(claimed), config)
  assert 'another --workdir' in str(caught.value)
  assert '\n' not in str(caught.value)


def test_the_same_experiment_may_run_longer_and_elsewhere(claimed):
  config = tiny_game.make_config()
  config.training.num_steps = 99
  config.training.log_every = 7
  config.data.data_dir = '/elsewhere'
  config.data.num_workers = 3
  config.finetune.max_steps = 1000
  checkpoints.claim_workdir(str(claimed), config)


def test_the_config_of_a_run_is_read_back(claimed):
  read = checkpoints.load_config(str(claimed))
  assert read['model']['embedding_size'] == tiny_game.EMBEDDING_SIZE


def test_a_file_in_the_way_is_named(tmp_path):
  path = tmp_path / 'file'
  path.write_text('x')
  with pytest.raises(UserError, match=f'--workdir={path}'):
    checkpoints.claim_workdir(str(path), tiny_game.make_config())


def test_a_broken_config_is_named(claimed):
  (claimed / 'config.json').write_text('{"seed": ')
  with pytest.raises(UserError, match='config.json: not the JSON'):
    checkpoints.claim_workdir(str(claimed), tiny_game.make_config())


def test_a_config_of_another_release_is_another_experiment(claimed):
  path = claimed / 'config.json'
  values = json.loads(path.read_text())
  values['loss']['perceptual_v3'] = 2.0
  path.write_text(json.dumps(values))
  with pytest.raises(UserError, match='loss.perceptual_v3=2.0, not None'):
    checkpoints.claim_workdir(str(claimed), tiny_game.make_config())


def test_a_folder_without_a_run_is_named(tmp_path):
  with pytest.raises(UserError, match='holds no run'):
    checkpoints.load_config(str(tmp_path))


def test_the_newest_checkpoints_are_kept(tmp_path):
  keeper = checkpoints.Checkpoints(str(tmp_path), keep=2)
  assert keeper.latest_step() is None
  for step in (1, 2, 3):
    keeper.save(step, {'x': step * 1.5})
  keeper.save(3, {'x': -1.0})  # there already: stays as it is
  keeper.close()
  reader = checkpoints.Checkpoints(str(tmp_path))
  assert reader.latest_step() == 3
  assert reader.restore(3, {'x': 0.0}) == {'x': 4.5}
  reader.close()
  steps = sorted(path.name for path in (tmp_path / 'checkpoints').iterdir())
  assert steps == ['2', '3']


def _small_state(seed):
  rng = np.random.default_rng(seed)
  params = {name: {'kernel': jnp.zeros((3, 4))} for name in nets.NETWORKS}
  optimizer = adam(c.OptimizerConfig())
  state = TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    spectral={name: {'u': jnp.zeros(4)} for name in params},
    generator_optimizer=optimizer.init(params),
    discriminator_optimizer=optimizer.init(params),
    ema=params,
    table=identity_table.init_table(jax.random.key(0), 64, 4),
  )
  return jax.tree.map(
    lambda leaf: jnp.asarray(rng.integers(1, 99, leaf.shape), leaf.dtype),
    state,
  )


def test_mistake_14_a_checkpoint_is_whole(tmp_path):
  state = _small_state(0)
  keeper = checkpoints.Checkpoints(str(tmp_path))
  keeper.save(7, state)
  keeper.close()
  reader = checkpoints.Checkpoints(str(tmp_path))
  restored = reader.restore(reader.latest_step(), _small_state(1))
  reader.close()
  assert len(jax.tree.leaves(restored)) == len(jax.tree.leaves(state))
  tiny_game.assert_trees_equal(restored, state)


def test_mistake_14_a_stale_checkpoint_is_not_taken(tmp_path):
  config = tiny_game.make_config()
  checkpoints.claim_workdir(str(tmp_path), config)
  checkpoints.claim_workdir(str(tmp_path), config)  # the same run goes on
  config.loss.match = 0.5
  with pytest.raises(UserError, match='loss.match=10.0, not 0.5'):
    checkpoints.claim_workdir(str(tmp_path), config)
