"""One step of fine-tuning: what moves, how far, and what the loss counts."""

import dataclasses

import jax
import numpy as np

from flaxheads import fewshot
from flaxheads.fewshot import finetune_step, finetuning, validation
from flaxheads.landmarks import host_raster
from flaxheads.landmarks.rasterise import face_mask
from tests import tiny_game
from tests.tiny_game import FINETUNING as SETTINGS


def test_all_that_is_trained_moves(model, faces, programs):
  before = finetuning.init_finetuning(model, *faces)
  x = np.asarray(finetuning.to_float(faces[0][:2]))
  y = host_raster.landmark_images(faces[1][:2], tiny_game.SIZE)
  after, terms = programs.step(before, x, y, None)
  assert terms.match == 0

  def moved(old, new):
    return bool((np.asarray(old) != np.asarray(new)).any())

  groups = {
    "psi'": (before.generator['adain_params'], after.generator['adain_params']),
    "w'": (before.discriminator['rows'], after.discriminator['rows']),
    'b': (
      before.discriminator['params']['b'],
      after.discriminator['params']['b'],
    ),
  }
  for name, (old, new) in groups.items():
    assert moved(old, new), name
  for old, new in (
    (before.generator['generator'], after.generator['generator']),
    (before.discriminator['params'], after.discriminator['params']),
  ):
    changes = jax.tree.map(moved, old, new)
    for path, change in jax.tree_util.tree_leaves_with_path(changes):
      if path[-1].key == 'kernel':
        assert change, jax.tree_util.keystr(path)


def test_the_average_moves_towards_what_is_trained(model, faces, programs):
  experiment = dataclasses.replace(
    model.experiment, finetune=dataclasses.replace(SETTINGS, ema_decay=0.75)
  )
  state = finetuning.init_finetuning(model, *faces)
  x = np.asarray(finetuning.to_float(faces[0][:2]))
  y = host_raster.landmark_images(faces[1][:2], tiny_game.SIZE)
  plain, _ = programs.step(state, x, y, None)
  after, _ = finetuning.build_programs(experiment).step(state, x, y, None)
  tiny_game.assert_trees_equal(plain.average, plain.generator)

  def mixed(average, start, end):
    np.testing.assert_allclose(average, 0.75 * start + 0.25 * end, atol=1e-6)

  jax.tree.map(mixed, after.average, state.generator, after.generator)


def test_a_look_is_at_what_the_person_draws(model, faces):
  settings = dataclasses.replace(SETTINGS, blend=0.5)
  experiment = dataclasses.replace(model.experiment, finetune=settings)
  programs = finetuning.build_programs(experiment)
  state = finetuning.init_finetuning(model, *faces)
  x = np.asarray(finetuning.to_float(faces[0]))
  y = host_raster.landmark_images(faces[1], tiny_game.SIZE)

  def moved(tree, by):
    return {**tree, 'adain_params': tree['adain_params'] + by}

  middle = state.replace(
    average=moved(state.average, 1.0), initial=moved(state.initial, 1.0)
  )
  ends = state.replace(average=moved(state.average, 2.0))
  first, second, start = (
    float(programs.validate(s, x, y, None)[0]) for s in (middle, ends, state)
  )
  np.testing.assert_allclose(first, second, rtol=1e-5)
  assert abs(first - start) > 1e-3 * start
  # And those frames are the person's, to the level.
  curve = validation.ValidationCurve(settings, 1, validation.NO_VALIDATOR)
  curve.add(validation.ValidationResult(0, 1.0))
  curve.add(validation.ValidationResult(1, 0.5))
  params = finetune_step.blended_params(middle.average, middle.initial, 0.5)
  person = finetuning._make_person(model, *faces, params, middle.vectors, curve)
  drawn = np.asarray(programs.validate(middle, x, y, None)[1])
  assert drawn.dtype == np.uint8
  difference = np.abs(fewshot.animate(person, faces[1]) - drawn.astype(int))
  assert difference.max() <= 1 and difference.mean() < 0.05


def test_face_weight_counts_the_face_once_more(model, faces, programs):
  settings = dataclasses.replace(SETTINGS, face_weight=3.0)
  experiment = dataclasses.replace(model.experiment, finetune=settings)
  weighed = finetuning.build_programs(experiment)
  state = finetuning.init_finetuning(model, *faces)
  x = np.asarray(finetuning.to_float(faces[0][:2]))
  y = host_raster.landmark_images(faces[1][:2], tiny_game.SIZE)
  face = np.asarray(face_mask(y))
  assert face.min() == 0 and face.max() == 1 and 0.05 < face.mean() < 0.9
  fake = x + 0.1 * (1 - np.ceil(face))  # wrong outside the face alone

  def more(frames):
    plain, other = (
      float(p.validate(state, frames, y, None)[0]) for p in (programs, weighed)
    )
    return other - plain

  np.testing.assert_allclose(more(x), more(fake), rtol=1e-5)
  assert more(x) > 0 and abs(more(x) - more(x + 0.1 * face)) > 1e-3


def test_learning_rates_are_those_of_finetuning(model, faces, programs):
  # Adam's first update of a weight is the rate, but for epsilon.
  before = finetuning.init_finetuning(model, *faces)
  x = np.asarray(finetuning.to_float(faces[0][:2]))
  y = host_raster.landmark_images(faces[1][:2], tiny_game.SIZE)
  after, _ = programs.step(before, x, y, None)
  for old, new, rate in (
    (before.generator, after.generator, SETTINGS.generator_learning_rate),
    (
      before.discriminator,
      after.discriminator,
      SETTINGS.discriminator_learning_rate,
    ),
  ):
    steps = jax.tree.map(lambda a, b: np.abs(np.asarray(b) - a).max(), old, new)
    assert 0.5 * rate < max(jax.tree.leaves(steps)) < 1.01 * rate
