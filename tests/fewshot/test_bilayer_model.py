"""Folders of the bi-layer model, and its corrections of a warp."""

import json

import jax
import numpy as np
import pytest

from flaxheads import bilayer_networks as nets
from flaxheads.data.pixels import to_float
from flaxheads.errors import UserError
from flaxheads.fewshot import bilayer_model, folders, load_model
from flaxheads.fewshot import model as models
from flaxheads.fewshot.bilayer_model import BilayerModel
from flaxheads.fewshot.model import choose_model, load_direct_model
from flaxheads.fewshot.person import without_projection
from tests import tiny_bilayer, tiny_game


@pytest.fixture(scope='module')
def model():
  config = tiny_bilayer.make_config()
  params = tiny_bilayer.make_params(config)
  del params['discriminator']
  return BilayerModel(config.model, params, {'step': 7})


@pytest.fixture
def folder(model, tmp_path):
  path = str(tmp_path / 'model')
  bilayer_model.save_model(path, model, 'float32')
  return path


def test_a_folder_gives_back_the_model(model, folder):
  read = load_model(folder)
  assert isinstance(read, BilayerModel)
  with pytest.raises(
    UserError, match="a bi-layer model; give one of the paper's"
  ):
    load_direct_model(folder)
  assert read.config == model.config and read.info['step'] == 7
  tiny_game.assert_trees_equal(read.params, model.params)


def test_photographs_get_the_shipped_model_where_there_is_one(
  folder, tmp_path, monkeypatch
):
  monkeypatch.setattr(models, 'shipped_model', lambda: folder)
  assert choose_model(None).info['step'] == 7
  assert choose_model(models.NO_MODEL) is None
  assert choose_model(folder).info['step'] == 7
  absent = str(tmp_path / 'absent')
  monkeypatch.setattr(models, 'shipped_model', lambda: absent)
  assert choose_model(None) is None
  with pytest.raises(UserError, match=absent):
    choose_model(absent)


def test_the_shipped_tensors_are_those_of_the_config():
  """They are not checked when the model is loaded."""
  found = load_model()
  networks = nets.build_networks(found.config)
  expected = nets.describe_params(networks, ('embedder', 'generator'))
  folders.check_tree('shipped', found.params, expected)


@pytest.mark.parametrize(
  'change, complaint',
  [
    ({'base_channels': 16}, 'tensor'),
    ({'window_size': 70}, 'window_size'),
    ({'base_channels': 10**9}, 'base_channels'),
    ({'layers': 3}, 'no such field'),
  ],
)
def test_a_description_that_does_not_fit_is_refused(folder, change, complaint):
  path = f'{folder}/model.json'
  with open(path) as file:
    description = json.load(file)
  description['config']['model'].update(change)
  with open(path, 'w') as file:
    json.dump(description, file)
  with pytest.raises(UserError, match=complaint):
    load_model(folder)


def test_corrections_are_those_of_the_networks(model):
  batch = tiny_bilayer.make_batch(tiny_bilayer.make_config(), 2, seed=4)
  frames, vertices = batch.frames, batch.points
  psi = bilayer_model.embed_photographs(
    model, frames[0, :2], vertices[0, :2, :68, :2]
  )
  given = (frames[:, 0], vertices[:, 0], vertices[:, 1])
  generator = without_projection(model.params['generator'])
  correction = bilayer_model.corrections(model.networks, generator, psi, *given)

  def render(params, frames, points, photograph, source, target):
    embedding = nets.embed_people(
      model.networks, params['embedder'], to_float(frames)[None], points[None]
    )
    return nets.render_window(
      model.networks,
      params['generator'],
      to_float(photograph),
      source,
      target,
      embedding=embedding.repeat(2, 0),
    )

  wanted = jax.jit(render)(
    model.params, frames[0, :2], vertices[0, :2, :68, :2], *given
  )
  np.testing.assert_array_equal(correction.origin, wanted.origin)
  _, mask, flow = wanted.composite
  np.testing.assert_allclose(correction.mask, mask, atol=1e-4)
  np.testing.assert_allclose(correction.flow, flow, atol=1e-3)
  np.testing.assert_allclose(
    correction.rgb, (wanted.rgb + 1) * 127.5, atol=0.05
  )
