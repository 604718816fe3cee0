"""Fine-tuning: its start, what moves, and which frames it may see."""

import dataclasses

import jax
import numpy as np
import pytest

from flaxheads import fewshot
from flaxheads.config import FinetuneConfig
from flaxheads.data.pixels import to_uint8
from flaxheads.data.synthetic_heads import make_clip
from flaxheads.errors import UserError
from flaxheads.fewshot import finetune_programs, finetuning, validation
from flaxheads.landmarks import host_raster
from tests import tiny_game
from tests.tiny_game import FINETUNING as SETTINGS


@pytest.fixture(scope='module')
def person(model, faces, programs):
  return fewshot.finetune(model, *faces, SETTINGS)


def test_before_the_first_step_it_is_the_feed_forward_person(
  model, monkeypatch
):
  faces = tiny_game.make_faces(6)
  # Parameters that get worse at every step: the start is kept.
  losses = iter(range(99))
  fake = finetune_programs.Programs(
    lambda state, x, y, points: (jax.tree.map(lambda a: a + 1, state), None),
    lambda state, x, y, points: (float(next(losses)), None),
    lambda state, x, y: state,
  )
  monkeypatch.setattr(finetuning, 'build_programs', lambda *_: fake)
  person = fewshot.finetune(model, *faces, SETTINGS)
  other = fewshot.feed_forward(model, *faces)
  assert person.info['steps'] == 0
  tiny_game.assert_trees_equal(person.generator, other.generator)
  np.testing.assert_array_equal(person.adain_params, other.adain_params)
  points = faces[1]
  np.testing.assert_array_equal(
    fewshot.animate(person, points), fewshot.animate(other, points)
  )


def test_the_state_before_the_first_step_draws_the_same(model, faces):
  # Not only what is kept: what is trained starts there as well.
  state = finetuning.init_finetuning(model, *faces)
  curve = validation.ValidationCurve(SETTINGS, 0, validation.NO_VALIDATOR)
  curve.add(validation.ValidationResult(1, 0.0))
  person = finetuning._make_person(
    model, *faces, state.generator, state.vectors, curve
  )
  other = fewshot.feed_forward(model, *faces)
  tiny_game.assert_trees_equal(person.generator, other.generator)
  np.testing.assert_array_equal(person.adain_params, other.adain_params)


def test_the_person_moved_and_has_neither_e_nor_p(model, faces, person):
  other = fewshot.feed_forward(model, *faces)
  assert person.info['method'] == 'fine-tuned'
  assert person.info['steps'] in (2, 4)
  # Channels that a ReLU silences on every frame have no gradient.
  assert np.mean(person.adain_params != other.adain_params) > 0.5
  assert set(person.generator) == set(model.params['generator']) - {
    'projection'
  }
  kernels = (
    person.generator['to_rgb']['kernel'],
    (other.generator['to_rgb']['kernel']),
  )
  assert (kernels[0] != kernels[1]).any()


def _psi(model, faces, **settings):
  one_step = {'min_steps': 1, 'max_steps': 1, 'holdout_fraction': 0.0}
  settings = dataclasses.replace(SETTINGS, **one_step, **settings)
  return fewshot.finetune(model, *faces, settings).adain_params


def test_the_person_gets_the_average_blended_with_the_start(model, faces):
  start = fewshot.feed_forward(model, *faces).adain_params
  end = _psi(model, faces)
  average = _psi(model, faces, ema_decay=0.75)
  blended = _psi(model, faces, blend=0.6)
  assert np.mean(start != end) > 0.5
  for found, share in ((average, 0.25), (blended, 0.6)):
    wanted = (1 - share) * start + share * end
    np.testing.assert_allclose(found, wanted, atol=1e-6)


class _Recorder:
  """Programs that train nothing, and remember the frames they were shown."""

  def __init__(self, losses):
    self._losses = iter(losses)
    self.trained, self.looked_at = [], []

  def __call__(self, *_):
    return finetune_programs.Programs(
      self._step, self._validate, lambda state, x, y: state
    )

  def _step(self, state, x, y, points):
    self.trained += [frame.tobytes() for frame in x]
    rows = state.discriminator['rows']
    psi = state.generator['adain_params'] + 1
    return state.replace(
      average={**state.generator, 'adain_params': psi},
      generator={**state.generator, 'adain_params': psi},
      discriminator={**state.discriminator, 'rows': rows},
    ), None

  def _validate(self, state, x, y, points):
    self.looked_at += [frame.tobytes() for frame in x]
    return float(next(self._losses)), None


def _record(monkeypatch, model, faces, losses, **settings):
  recorder = _Recorder(losses)
  monkeypatch.setattr(finetuning, 'build_programs', recorder)
  progress = []
  settings = dataclasses.replace(SETTINGS, **settings)
  person = fewshot.finetune(
    model, *faces, settings, on_progress=progress.append
  )
  return recorder, person, progress


@pytest.mark.parametrize('num_frames, held_out', [(6, 1), (8, 1), (24, 3)])
def test_the_step_is_chosen_by_frames_that_were_not_trained_on(
  model, monkeypatch, num_frames, held_out
):
  faces = tiny_game.make_faces(num_frames)
  recorder, _, _ = _record(
    monkeypatch, model, faces, [1.0] * 99, min_steps=30, max_steps=30
  )
  trained, looked_at = set(recorder.trained), set(recorder.looked_at)
  assert not trained & looked_at
  assert len(looked_at) == held_out
  assert len(trained) == num_frames - held_out


def test_a_share_of_the_steps_sees_moved_images(model, faces, monkeypatch):
  recorder, _, _ = _record(
    monkeypatch,
    model,
    faces,
    [1.0] * 99,
    min_steps=8,
    max_steps=8,
    move_share=0.25,
  )
  batch = len(recorder.trained) // 8
  given = {frame.tobytes() for frame in finetuning.to_float(faces[0])}
  steps = [recorder.trained[i * batch : (i + 1) * batch] for i in range(8)]
  kept = [set(frames) <= given for frames in steps]
  assert kept == [True, True, True, False] * 2


def test_images_move_with_their_landmarks():
  _, points = make_clip(0, 0, 2, 64, fps=5.0)
  drawn = host_raster.landmark_images(points, 64)
  x, moved = finetuning._augment(to_uint8(drawn), points, jax.random.key(1))
  y = host_raster.landmark_images(moved, 64)
  assert np.abs(y - drawn).mean() > 0.02  # it moved
  assert np.abs(x - y).mean() < 0.2 * np.abs(y - drawn).mean()
  assert np.abs(x[0] - x[1]).mean() > 0.01  # each by itself


def test_one_image_is_enough(model, monkeypatch):
  faces = tiny_game.make_faces(1)
  recorder, person, _ = _record(monkeypatch, model, faces, [1, 2, 3])
  assert set(recorder.trained) == set(recorder.looked_at)
  # Nothing is held out, so a rising loss of the one frame stops nothing.
  assert person.info['steps'] == 4


def test_the_best_parameters_are_kept(model, monkeypatch):
  faces = tiny_game.make_faces(6)
  losses = [5, 4, 1, 3, 2]  # at steps 0, 2, 4, 6, 8
  start = fewshot.feed_forward(model, *faces)
  _, person, progress = _record(
    monkeypatch, model, faces, losses, min_steps=8, max_steps=8
  )
  assert person.info['steps'] == 4
  assert person.info['validation_loss'] == 1
  np.testing.assert_allclose(
    person.adain_params, start.adain_params + 4, rtol=1e-5
  )
  assert [look.step for look in progress] == [2, 4, 6, 8]
  assert [look.best_step for look in progress] == [2, 4, 4, 4]


def test_it_ends_when_nothing_improves(model, monkeypatch):
  faces = tiny_game.make_faces(6)
  losses = [5, 4, 6, 6, 6, 6, 6]
  _, person, progress = _record(
    monkeypatch, model, faces, losses, min_steps=99, max_steps=99, patience=3
  )
  assert progress[-1].step == 8  # three looks after step 2
  assert person.info['steps'] == 2


def test_a_loss_that_is_not_finite_stops_it(model, faces, monkeypatch):
  with pytest.raises(UserError, match='nan at step 4.*learning_rate'):
    _record(
      monkeypatch, model, faces, [1, 1, float('nan')], max_steps=9, min_steps=9
    )


@pytest.mark.parametrize('num_frames', [1, 2, 5])
def test_mistake_17_no_frame_of_a_few_is_withheld(
  model, monkeypatch, num_frames
):
  faces = tiny_game.make_faces(num_frames)
  recorder, person, _ = _record(monkeypatch, model, faces, [1, 2, 3])
  assert len(set(recorder.trained)) == min(num_frames, 8)
  assert set(recorder.trained) <= set(recorder.looked_at)
  assert person.info['steps'] == 4  # the last one


def test_mistake_17_the_portrait_is_always_trained_on():
  for seed in range(50):
    rng = np.random.default_rng(seed)
    trained, validated = finetuning._split(8, 4, rng)
    assert 0 in trained
    assert sorted([*trained, *validated]) == list(range(8))


def test_the_person_is_fitted_again_on_all_frames(model, monkeypatch):
  faces = tiny_game.make_faces(6)
  losses = [5, 4, 1, 3, 2]  # at steps 0, 2, 4, 6, 8
  recorder, person, _ = _record(
    monkeypatch, model, faces, losses, min_steps=8, max_steps=8
  )
  (withheld,) = set(recorder.looked_at)
  batch = len(recorder.trained) // (8 + 4)
  first, again = recorder.trained[: 8 * batch], recorder.trained[8 * batch :]
  assert withheld not in first and withheld in again
  assert len(set(again)) == 6
  assert person.info['steps'] == 4


def test_mistake_18_the_number_of_steps_follows_the_number_of_frames():
  config = FinetuneConfig()
  steps = [finetuning.num_finetuning_steps(t, config) for t in range(1, 65)]
  assert steps[0] == 125 and steps[31] == 230
  assert steps[7] == 188  # 125 + 105 * 3 / 5
  assert steps[:32] == sorted(steps[:32]) and set(steps[31:]) == {230}


def test_every_frame_comes_once_in_an_epoch():
  indices = np.arange(5)
  batches = finetuning._epochs(indices, 2, np.random.default_rng(0))
  drawn = np.concatenate([next(batches) for _ in range(10)])
  for epoch in drawn.reshape(4, 5):
    assert sorted(epoch) == [0, 1, 2, 3, 4]


def test_seeds_decide_and_nothing_else(model, faces, person, programs):
  again = fewshot.finetune(model, *faces, SETTINGS)
  tiny_game.assert_trees_equal(again.generator, person.generator)
  np.testing.assert_array_equal(again.adain_params, person.adain_params)


def test_wrong_shapes_are_refused(model, faces):
  frames, points = faces
  with pytest.raises(ValueError, match='uint8'):
    fewshot.feed_forward(model, frames.astype(np.float32), points)
  with pytest.raises(ValueError, match=r'not \(2, 68, 2\)'):
    fewshot.feed_forward(model, frames[:2], points)
