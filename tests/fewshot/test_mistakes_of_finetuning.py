"""The mistakes of fine-tuning among those of tests/test_mistakes.py."""

import functools
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from flaxheads import config as c
from flaxheads import networks as nets
from flaxheads.data import pixels
from flaxheads.fewshot import finetune_programs, finetune_step, finetuning
from flaxheads.fewshot.direct import embed_person
from flaxheads.landmarks import detect, host_raster
from flaxheads.models import spectral
from flaxheads.training import content_loss
from tests import tiny_game


@pytest.fixture(scope='module')
def experiment():
  return tiny_game.make_config(discriminator_updates=1)


@pytest.fixture(scope='module')
def model(experiment):
  return tiny_game.make_model(experiment)


@pytest.fixture(scope='module')
def finetuned(experiment, model):
  """The states before and after one fine-tuning step, and its loss terms."""
  frames, points = tiny_game.make_faces(2)
  before = finetuning.init_finetuning(model, frames, points)
  step = functools.partial(
    finetune_step.finetune_step,
    experiment=experiment,
    networks=model.networks,
    content=content_loss.pyramid_content(experiment.loss).apply,
  )
  pictures = host_raster.landmark_images(points, tiny_game.SIZE)
  x = pixels.to_float(frames)
  after, terms = jax.jit(step)(before, x, pictures, points, {})
  return SimpleNamespace(
    before=before, after=after, terms=terms, x=x, pictures=pictures
  )


def test_mistake_01_psi_and_w_of_the_person_move(finetuned):
  before, after = finetuned.before, finetuned.after

  def share_moved(tree, other):
    return np.mean(np.asarray(tree) != np.asarray(other))

  moved = jax.tree.map(share_moved, before.generator, after.generator)
  # Channels that a ReLU silences on every frame have no gradient.
  assert moved['adain_params'] > 0.5
  rows = before.discriminator['rows'], after.discriminator['rows']
  # Summed, then ReLU: half of the features are silent on both frames. None
  # would move where the mistake is made.
  assert share_moved(*rows) > 0.25
  theta = before.discriminator['params'], after.discriminator['params']
  assert theta[0]['b'] != theta[1]['b']
  for tree in (moved['generator'], jax.tree.map(share_moved, *theta)):
    for path, share in jax.tree_util.tree_leaves_with_path(tree):
      if path[-1].key == 'kernel':
        assert share > 0.1, jax.tree_util.keystr(path)


def test_mistake_10_only_kernels_are_normalised(model):
  params = model.params['discriminator']
  vectors = spectral.init_spectral(jax.random.key(0), params)
  normal = spectral.normalize(params, vectors)
  for name in ('w0', 'b'):
    np.testing.assert_array_equal(normal[name], params[name])


def test_mistake_10_w_of_the_person_is_not_normalised(model, finetuned):
  params = model.params['discriminator']
  # The score before the first update is that of W_i = ê.
  frames, points = tiny_game.make_faces(2)
  embedding, psi = embed_person(model, frames, points)
  rows = finetuned.before.discriminator['rows']
  np.testing.assert_array_equal(rows, params['w0'] + embedding)

  @jax.jit
  def score(embedding, psi):
    vectors = {
      name: spectral.power_iteration(model.params[name], model.spectral[name])
      for name in ('generator', 'discriminator')
    }
    normal = {
      name: spectral.normalize(model.params[name], vectors[name])
      for name in vectors
    }
    fake = nets.generate(
      model.networks,
      normal['generator'],
      finetuned.pictures,
      psi[None].repeat(2, 0),
    )
    return nets.discriminate(
      model.networks,
      normal['discriminator'],
      fake,
      finetuned.pictures,
      embedding[None].repeat(2, 0),
    ).score

  np.testing.assert_allclose(
    finetuned.terms.adversarial, -score(embedding, psi).mean(), rtol=1e-3
  )


def test_mistake_15_finetuning_detects_and_draws_nothing_again(
  model, monkeypatch
):
  frames, points = tiny_game.make_faces(3)
  drawn, detected = [], []
  draw = host_raster.landmark_images

  def counted_draw(points, image_size):
    drawn.append(len(points))
    return draw(points, image_size)

  def counted_detector(*args, **kwargs):
    detected.append(args)
    return lambda image: []

  monkeypatch.setattr(host_raster, 'landmark_images', counted_draw)
  monkeypatch.setattr(detect, 'make_detector', counted_detector)
  steps = []

  def step(state, frames, pictures, points):
    steps.append(len(drawn))
    return state, None

  programs = finetune_programs.Programs(
    step, lambda state, x, y, points: (0.0, None), lambda state, x, y: state
  )
  monkeypatch.setattr(finetuning, 'build_programs', lambda *_: programs)
  settings = c.FinetuneConfig(min_steps=20, max_steps=20, patience=99)
  finetuning.finetune(model, frames, points, settings)
  # All frames for E and for training, before the first step; then for E again.
  assert steps == [2] * 20
  assert drawn == [3] * 3
  assert not detected


def test_mistake_20_real_frames_start_within_the_margin(model):
  frames, points = tiny_game.make_faces(2)
  state = finetuning.init_finetuning(model, frames, points)
  x = pixels.to_float(frames)
  y = host_raster.landmark_images(points, tiny_game.SIZE)

  @jax.jit
  def run(state):
    networks = model.networks
    after = finetune_step.calibrate(state, x, y, networks=networks)
    given = state.vectors, state.discriminator, x, y
    return after, finetune_step.discriminate(networks, *given).score

  off = state.discriminator['params']['b'] + np.float32(7)
  params = {**state.discriminator['params'], 'b': off}
  state = state.replace(discriminator={**state.discriminator, 'params': params})
  calibrated, before = run(state)
  _, after = run(calibrated)
  np.testing.assert_allclose(after, before - before.mean(), atol=1e-4)
  np.testing.assert_allclose(after.mean(), 0, atol=1e-4)
  # Nothing else of D has changed.
  changed = jax.tree.map(
    lambda a, b: bool(np.any(a != b)),
    state.discriminator,
    calibrated.discriminator,
  )
  assert changed['params'].pop('b')
  assert not any(jax.tree.leaves(changed))
