"""Whose run a folder holds: other experiments are named and refused."""

import json

import pytest

from flaxheads.errors import UserError
from flaxheads.training import workdir
from tests import tiny_game


@pytest.fixture
def claimed(tmp_path):
  folder = tmp_path / 'runs' / 'one'
  workdir.claim_workdir(str(folder), tiny_game.make_config())
  return folder


@pytest.mark.parametrize(
  'part, field, value, message',
  [
    (None, 'seed', 3, 'seed=0, not 3'),
    ('model', 'image_size', 128, 'model.image_size=32, not 128'),
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
    workdir.claim_workdir(str(claimed), config)
  assert 'another --workdir' in str(caught.value)
  assert '\n' not in str(caught.value)


def test_the_same_experiment_may_run_longer_and_elsewhere(claimed):
  config = tiny_game.make_config()
  config.training.num_steps = 99
  config.training.log_every = 7
  config.data.data_dir = '/elsewhere'
  config.data.num_workers = 3
  config.finetune.max_steps = 1000
  workdir.claim_workdir(str(claimed), config)


def test_the_config_of_a_run_is_read_back(claimed):
  read = workdir.load_config(str(claimed))
  assert read['model']['embedding_size'] == tiny_game.EMBEDDING_SIZE


def test_a_file_in_the_way_is_named(tmp_path):
  path = tmp_path / 'file'
  path.write_text('x')
  with pytest.raises(UserError, match=f'--workdir={path}'):
    workdir.claim_workdir(str(path), tiny_game.make_config())


def test_a_broken_config_is_named(claimed):
  (claimed / 'config.json').write_text('{"seed": ')
  with pytest.raises(UserError, match='config.json: not the JSON'):
    workdir.claim_workdir(str(claimed), tiny_game.make_config())


def test_a_config_of_another_release_is_another_experiment(claimed):
  path = claimed / 'config.json'
  values = json.loads(path.read_text())
  values['loss']['perceptual_v3'] = 2.0
  path.write_text(json.dumps(values))
  with pytest.raises(UserError, match='loss.perceptual_v3=2.0, not None'):
    workdir.claim_workdir(str(claimed), tiny_game.make_config())


def test_a_field_that_came_later_has_its_default(claimed):
  path = claimed / 'config.json'
  values = json.loads(path.read_text())
  del values['loss']['identity'], values['perceptual']['pooling']
  path.write_text(json.dumps(values))
  config = tiny_game.make_config()
  workdir.claim_workdir(str(claimed), config)
  config.perceptual.pooling = 'average'
  with pytest.raises(UserError, match='perceptual.pooling=max, not average'):
    workdir.claim_workdir(str(claimed), config)


def test_a_folder_without_a_run_is_named(tmp_path):
  with pytest.raises(UserError, match='holds no run'):
    workdir.load_config(str(tmp_path))


def test_mistake_14_a_stale_checkpoint_is_not_taken(tmp_path):
  config = tiny_game.make_config()
  workdir.claim_workdir(str(tmp_path), config)
  workdir.claim_workdir(str(tmp_path), config)  # the same run goes on
  config.loss.match = 0.5
  with pytest.raises(UserError, match='loss.match=10.0, not 0.5'):
    workdir.claim_workdir(str(tmp_path), config)
