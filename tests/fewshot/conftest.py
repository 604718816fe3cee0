"""A tiny model, its programs and three faces for the tests of fine-tuning."""

import dataclasses

import pytest

from flaxheads.fewshot import finetune_programs
from tests import tiny_game


@pytest.fixture(scope='module')
def model():
  return tiny_game.make_model(tiny_game.make_config(discriminator_updates=1))


@pytest.fixture(scope='module')
def faces():
  return tiny_game.make_faces(3)


@pytest.fixture(scope='module')
def programs(model):
  """The compiled step and loss; all tests of this module share them."""
  experiment = dataclasses.replace(
    model.experiment, finetune=tiny_game.FINETUNING
  )
  return finetune_programs.build_programs(experiment)
