"""Checkpoints: whole, the newest and the best, and damage is seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads import config as c
from flaxheads import networks as nets
from flaxheads.errors import UserError
from flaxheads.training import checkpoints, identity_table, parallel, workdir
from flaxheads.training.optimizers import adam
from flaxheads.training.state import STATE_SPECS, TrainState
from tests import tiny_game

FACTS = {'num_videos': 5}


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
    table=identity_table.init_table(jax.random.key(0), 64, 4, 0.1),
  )
  return jax.tree.map(
    lambda leaf: jnp.asarray(rng.integers(1, 99, leaf.shape), leaf.dtype),
    state,
  )


def _placed(seed, num_devices=1):
  mesh = parallel.make_mesh(num_devices)
  return tiny_game.place_state(_small_state(seed), mesh)


def _like(num_devices=1):
  return parallel.describe(
    lambda: _small_state(0), parallel.make_mesh(num_devices), STATE_SPECS
  )


def _accept(facts):
  assert facts == FACTS


def _save(folder, steps, keep=3, error=lambda step: 1.0):
  keeper = checkpoints.Checkpoints(str(folder), keep=keep)
  for step in steps:
    keeper.save(step, _placed(step), FACTS, error(step))
  keeper.close()


def _restore(folder, num_devices=1):
  reader = checkpoints.Checkpoints(str(folder))
  try:
    return reader.restore(_like(num_devices), _accept)
  finally:
    reader.close()


def _kept(folder):
  return sorted(int(p.name) for p in (folder / 'checkpoints').iterdir())


def test_the_newest_checkpoints_are_kept(tmp_path):
  _save(tmp_path, (1, 2, 3), keep=2)
  _save(tmp_path, (3,))  # there already: stays as it is
  step, state = _restore(tmp_path)
  assert step == 3
  tiny_game.assert_trees_equal(state, _small_state(3))
  assert _kept(tmp_path) == [2, 3]


def test_the_best_is_kept_beside_the_newest(tmp_path):
  for steps in ((1, 2, 3), (4, 5)):  # a run that went on
    _save(tmp_path, steps, keep=2, error=lambda step: abs(step - 2))
  assert _kept(tmp_path) == [2, 4, 5]
  reader = checkpoints.Checkpoints(str(tmp_path))
  assert reader.best_step() == 2
  restored = reader.read(2, parallel.make_mesh(1))
  reader.close()
  best = _small_state(2)
  np.testing.assert_array_equal(
    restored.state['table']['rows'], best.table.rows
  )


def test_nothing_is_there_at_first(tmp_path):
  assert _restore(tmp_path) is None


def test_mistake_14_a_checkpoint_is_whole(tmp_path):
  _save(tmp_path, (7,))
  step, restored = _restore(tmp_path)
  assert step == 7
  tiny_game.assert_trees_equal(restored, _small_state(7))


@pytest.mark.parametrize('num_devices', [2, 8])
def test_a_run_goes_on_on_other_devices(tmp_path, num_devices):
  _save(tmp_path, (7,))
  _, restored = _restore(tmp_path, num_devices)
  tiny_game.assert_trees_equal(restored, _small_state(7))
  assert len(restored.table.rows.addressable_shards) == num_devices


def _files_of_arrays(folder):
  return [path for path in folder.rglob('d/*') if path.is_file()]


def _change_bytes(folder):
  # Many: single ones may lie in a node of the index that a later one replaced.
  for path in _files_of_arrays(folder):
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data), 64):
      data[place] ^= 1
    path.write_bytes(data)


def _cut(folder):
  for path in _files_of_arrays(folder):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _remove(folder):
  for path in _files_of_arrays(folder):  # any one may have been replaced
    path.unlink()


def _no_facts(folder):
  for path in (folder / 'facts').iterdir():
    path.write_text('{')


@pytest.mark.parametrize('damage', [_change_bytes, _cut, _remove, _no_facts])
def test_a_damaged_checkpoint_is_reported_and_passed_over(
  tmp_path, caplog, damage
):
  _save(tmp_path, (1, 2))
  damage(tmp_path / 'checkpoints' / '2')
  with caplog.at_level('WARNING'):
    step, restored = _restore(tmp_path)
  assert step == 1
  tiny_game.assert_trees_equal(restored, _small_state(1))
  assert 'the checkpoint of step 2 is damaged' in caplog.text
  assert _kept(tmp_path) == [1]
  assert (tmp_path / 'damaged' / '2').is_dir()
  _save(tmp_path, (2,))  # the run comes to that step again
  assert _restore(tmp_path)[0] == 2


def test_a_changed_number_is_damage_even_where_the_file_is_sound(
  tmp_path, monkeypatch
):
  _save(tmp_path, (1,))
  with monkeypatch.context() as patch:
    patch.setattr(checkpoints, '_checksums', lambda tree: {'x': 0})
    _save(tmp_path, (2,))
  assert _restore(tmp_path)[0] == 1


def test_an_interrupt_is_no_damage(tmp_path, monkeypatch):
  def interrupted(*_, **__):
    try:
      raise KeyboardInterrupt
    except KeyboardInterrupt as error:
      raise ValueError('while reading array index') from error  # as Orbax does

  _save(tmp_path, (1,))
  with monkeypatch.context() as patch:
    patch.setattr(checkpoints.ocp.CheckpointManager, 'restore', interrupted)
    with pytest.raises(KeyboardInterrupt):
      _restore(tmp_path)
  assert _restore(tmp_path)[0] == 1


def test_all_damaged_is_an_error(tmp_path):
  _save(tmp_path, (1, 2))
  for step in (1, 2):
    _no_facts(tmp_path / 'checkpoints' / str(step))
  with pytest.raises(UserError, match='all checkpoints are damaged'):
    _restore(tmp_path)


def test_reading_a_damaged_one_is_one_line(tmp_path):
  _save(tmp_path, (1,))
  _remove(tmp_path / 'checkpoints' / '1')
  reader = checkpoints.Checkpoints(str(tmp_path))
  with pytest.raises(UserError, match='checkpoints/1: damaged') as caught:
    reader.read(1, parallel.make_mesh(1))
  reader.close()
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('text', ['{"error": 0.63', '{}', '{"error": []}', '7'])
def test_damaged_metrics_are_named(tmp_path, text):
  _save(tmp_path, (1, 2))
  path = tmp_path / 'checkpoints' / '2' / 'metrics' / 'metrics'
  path.write_text(text)
  with pytest.raises(UserError, match='2/metrics/metrics: damaged') as caught:
    checkpoints.Checkpoints(str(tmp_path))
  assert '\n' not in str(caught.value)
  path.parent.parent.rename(tmp_path / 'away')
  assert _restore(tmp_path)[0] == 1


def test_other_data_is_refused_and_nothing_set_aside(tmp_path):
  _save(tmp_path, (1,))
  reader = checkpoints.Checkpoints(str(tmp_path))
  now = {'num_videos': 6}
  with pytest.raises(UserError, match='num_videos was 5, is 6'):
    reader.restore(
      _like(), lambda facts: workdir.check_same_data('run', facts, now)
    )
  reader.close()
  assert _kept(tmp_path) == [1]
