"""Configs: every preset is valid, and every mistake is named."""

import dataclasses
import importlib
import pathlib
import re

import pytest

from configs import bilayer_tiny
from flaxheads import config as c
from flaxheads.baselines.pix2pixhd.config import Pix2pixHDConfig
from flaxheads.baselines.x2face.config import X2FaceConfig
from flaxheads.errors import UserError
from flaxheads.experiments import read_config

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRESETS = sorted(
  path.stem for path in (ROOT / 'configs').glob('*.py') if path.stem[0] != '_'
)


@pytest.mark.parametrize('name', PRESETS)
def test_presets_are_valid_new_each_time_and_survive_json(name):
  module = importlib.import_module(f'configs.{name}')
  assert module.__doc__
  config = module.get_config()
  assert config.validate() is config
  assert read_config(dataclasses.asdict(config)) == config
  config.model.image_size = 'changed'
  assert module.get_config().model.image_size in (64, 128, 256, 512)


def test_the_paper_s_preset_has_the_paper_s_numbers():
  from configs import voxceleb2_256, voxceleb2_256_ff

  config = voxceleb2_256.get_config()
  assert config.model == c.ModelConfig()
  assert (config.model.image_size, config.model.embedding_size) == (256, 512)
  assert config.data.num_support == 8
  assert config.training.batch_size == 48
  assert config.training.num_steps == 75 * 145_569 // 48
  assert config.training.discriminator_updates == 2
  assert config.loss == c.LossConfig.v2()
  assert config.optimizer.generator_learning_rate == 5e-5
  assert config.optimizer.discriminator_learning_rate == 2e-4
  feed_forward = voxceleb2_256_ff.get_config()
  assert feed_forward.loss.match == 0
  steps = config.training.num_steps
  assert feed_forward.training.num_steps == 2 * steps


@pytest.mark.parametrize(
  'part, field, value, message',
  [
    ('model', 'image_size', 96, 'model.image_size: 96 is not one of 32, 64'),
    ('model', 'dtype', 'float64', "model.dtype: 'float64' is not one of"),
    ('model', 'bottleneck_size', 4, 'model.bottleneck_size: 4 is not one of'),
    ('model', 'max_channels', 32, 'model.max_channels: 32 is too small'),
    ('loss', 'match', -1.0, 'loss.match: -1.0 is too small; at least 0'),
    ('loss', 'vgg19', float('nan'), 'loss.vgg19: nan'),
    ('data', 'num_support', 0, 'data.num_support: 0 is too small'),
    ('data', 'num_support', 64, 'data.num_support: 64 is too large'),
    ('augment', 'rotation', 90.0, 'augment.rotation: 90.0 is too large'),
    ('optimizer', 'b1', 1.0, 'optimizer.b1: 1.0 is too large'),
    ('training', 'batch_size', 0, 'training.batch_size: 0 is too small'),
    ('training', 'ema_decay', 1.0, 'training.ema_decay: 1.0 is too large'),
    ('finetune', 'patience', 0, 'finetune.patience: 0 is too small'),
    ('finetune', 'holdout_fraction', 0.9, 'finetune.holdout_fraction: 0.9'),
  ],
)
def test_values_that_are_not_allowed_are_named(part, field, value, message):
  config = c.Config()
  setattr(getattr(config, part), field, value)
  with pytest.raises(UserError, match=message) as caught:
    config.validate()
  assert '\n' not in str(caught.value)
  # The same on construction.
  with pytest.raises(UserError, match=message):
    dataclasses.replace(getattr(c.Config(), part), **{field: value})


@pytest.mark.parametrize(
  'values, message',
  [
    ({'sede': 1}, 'Config.sede: no such field'),
    ({'model': {'imagesize': 64}}, 'ModelConfig.imagesize: no such field'),
    ({'model': 64}, 'Config.model: 64 is not an object'),
    (
      {'model': {'image_size': 64.0}},
      'ModelConfig.image_size: 64.0 is not int',
    ),
    ({'augment': {'flip': 1}}, 'AugmentConfig.flip: 1 is not bool'),
    ({'data': {'dataset': None}}, 'DataConfig.dataset: None is not str'),
    ({'loss': {'match': -2.0}}, 'loss.match: -2.0 is too small'),
  ],
)
def test_dicts_that_are_no_config_are_refused(values, message):
  with pytest.raises(UserError, match=message):
    c.from_dict(values)


def test_missing_fields_take_the_defaults():
  config = c.from_dict({'model': {'image_size': 128}})
  assert config == c.Config(model=c.ModelConfig(image_size=128))


@pytest.mark.parametrize('name', ['x2face', 'pix2pixhd'])
@pytest.mark.parametrize(
  'suffix, ours',
  [
    ('64', 'synthetic_64'),
    ('video_folder_64', 'video_folder_64'),
    ('voxceleb2_256', 'voxceleb2_256'),
  ],
)
def test_baselines_have_the_records_and_the_budget_of_the_model(
  name, suffix, ours
):
  config = importlib.import_module(f'configs.{name}_{suffix}').get_config()
  model = importlib.import_module(f'configs.{ours}').get_config()
  assert config.kind == name
  for field in ('num_steps', 'batch_size'):
    assert getattr(config.training, field) == getattr(model.training, field)
  assert config.augment == model.augment
  assert config.model.image_size == model.model.image_size
  theirs, mine = map(dataclasses.asdict, (model.data, config.data))
  assert mine == {**theirs, 'num_support': 1}
  if name == 'pix2pixhd':  # as published: half of the run at a constant rate
    assert config.optimizer.decay_steps == config.training.num_steps // 2


@pytest.mark.parametrize(
  'values, message',
  [
    ({'kind': 'x3face'}, "kind: 'x3face' is not one of x2face"),
    ({'kind': ['x2face']}, 'is not one of x2face, pix2pixhd'),
    ({'kind': 'x2face', 'loss': {}}, 'X2FaceConfig.loss: no such field'),
    (
      {'kind': 'x2face', 'perceptual': {'vgg19': 'f'}},
      'VGGFaceConfig.vgg19: no such field',
    ),
    (
      {'kind': 'pix2pixhd', 'model': {'num_scales': 0}},
      'model.num_scales: 0 is too small',
    ),
  ],
)
def test_mistakes_in_a_baseline_config_are_named(values, message):
  with pytest.raises(UserError, match=re.escape(message)):
    read_config(values)


def test_the_published_baselines_have_the_published_numbers():
  pix2pixhd, x2face = Pix2pixHDConfig(), X2FaceConfig()
  rates = pix2pixhd.optimizer
  assert rates.generator_learning_rate == 2e-4
  assert rates.discriminator_learning_rate == 2e-4
  assert (rates.b1, rates.b2) == (0.5, 0.999)
  assert pix2pixhd.loss.feature_matching == pix2pixhd.loss.vgg19 == 10
  assert (x2face.optimizer.learning_rate, x2face.optimizer.momentum) == (
    1e-3,
    0.9,
  )


def test_rows_of_the_bilayer_model_do_not_begin_as_embeddings():
  config = bilayer_tiny.get_config()
  config.identity_table.initial_size = 0.0
  with pytest.raises(UserError, match='identity_table.initial_size: 0, rows'):
    config.validate()
