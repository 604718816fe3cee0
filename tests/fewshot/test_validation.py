"""Validation of a fine-tuning: what is measured, and which step is kept."""

import dataclasses
import json
from typing import NamedTuple

import numpy as np
import pytest

from flaxheads import fewshot
from flaxheads.config import FinetuneConfig
from flaxheads.fewshot import finetune_programs, finetuning
from flaxheads.fewshot.direct import embed_person
from flaxheads.fewshot.validation import ValidationCurve as Curve
from flaxheads.fewshot.validation import ValidationFrames as Frames
from flaxheads.fewshot.validation import ValidationResult as Result
from flaxheads.fewshot.validation import Validator, score
from flaxheads.fewshot.validator import PROXY, assemble, make_validator
from flaxheads.metrics import identity
from flaxheads.metrics.networks import MetricNetwork
from tests import tiny_game
from tests.tiny_game import FINETUNING as SETTINGS

SIZE = 256  # the detector sees such frames as they are
CONFIG = FinetuneConfig(landmark_weight=1.0, identity_weight=2.0)


class Face(NamedTuple):
  """A detected face."""

  points: np.ndarray


def _points(count=4):
  points = np.random.default_rng(0).uniform(50, 200, (count, 68, 2))
  points[:, 36], points[:, 45] = (80, 100), (180, 100)  # 100 pixels apart
  return points.astype(np.float32)


def _plain(levels):
  """Frames of one level each, by which the fakes below know them."""
  levels = np.asarray(levels, np.uint8)[:, None, None, None]
  return np.broadcast_to(levels, (len(levels), SIZE, SIZE, 3)).copy()


def _detect(points):
  """Level 10 i + k: the points of frame i, moved by k tenths of the scale.

  From 200 on there is no face; k = 9 is a face elsewhere.
  """

  def detect(picture):
    level = int(picture[0, 0, 0])
    if level >= 200:
      return []
    i, k = divmod(level, 10)
    return [Face(points[i] + np.array([0, 300 if k == 9 else 10 * k]))]

  return detect


def test_landmark_error_is_against_what_is_found_in_the_true_frames():
  points = _points()
  # The detector sees frame 1 moved by two tenths, and nothing in frame 3.
  frames = Frames(Validator(_detect(points)), _plain([0, 12, 20, 203]), points)
  look = frames.measure(7, 0.5, _plain([3, 13, 29, 30]))
  # Frame 0: 0.3; 1: 0.3 - 0.2; 2: far away, counts 1; 3: as was asked for, 0.
  np.testing.assert_allclose(
    look.landmark_error, (0.3 + 0.1 + 1) / 4, rtol=1e-6
  )
  assert (look.step, look.loss, look.no_face) == (7, 0.5, 0)
  assert look.identity is None
  look = frames.measure(8, 0.5, _plain([200, 12, 200, 30]))
  assert (look.landmark_error, look.no_face) == (0.5, 0.5)


def _embed(frames, points):
  """Level d: at an angle of d degrees, of a length of its own; 255: NaN."""
  assert points.shape == (len(frames), 68, 2)
  angle = np.radians(frames[:, 0, 0, 0].astype(float))
  vectors = np.stack([np.cos(angle), np.sin(angle)], 1)
  vectors *= (1 + frames[:, 0, 0, :1]) * 0.1
  vectors[frames[:, 0, 0, 0] == 255] = np.nan
  vectors[frames[:, 0, 0, 0] == 254] = 0
  return vectors


def test_identity_is_the_mean_cosine_with_the_true_frames():
  points = _points(2)
  frames = Frames(Validator(None, _embed), _plain([0, 30]), points)
  look = frames.measure(1, 0.5, _plain([60, 30]))
  np.testing.assert_allclose(look.identity, (0.5 + 1) / 2, rtol=1e-6)
  assert look.landmark_error is None and look.no_face is None


@pytest.mark.parametrize('level', [254, 255])
def test_what_cannot_be_embedded_is_like_nobody(level):
  points = _points(2)
  frames = Frames(Validator(None, _embed), _plain([0, 30]), points)
  look = frames.measure(1, 0.5, _plain([0, level]))
  assert look.identity == 0.5
  # Without an embedding of the true frame there is nothing to compare with.
  frames = Frames(Validator(None, _embed), _plain([0, level]), points)
  assert frames.measure(1, 0.5, _plain([0, 30])).identity is None


def test_score_is_the_loss_and_what_the_face_has_lost():
  start = Result(0, 4.0, 0.10, 0.0, 0.75)
  assert score(start, start, CONFIG) == 1
  better = Result(9, 2.0, 0.04, 0.0, 0.90)
  np.testing.assert_allclose(score(better, start, CONFIG), 0.5, rtol=1e-6)
  # Within the slack of 0.03 and 0.05 the loss decides alone.
  near = Result(9, 2.0, 0.12, 0.0, 0.71)
  np.testing.assert_allclose(score(near, start, CONFIG), 0.5, rtol=1e-6)
  worse = Result(9, 2.0, 0.25, 0.0, 0.40)
  wanted = 0.5 + 1 * (0.15 - 0.03) + 2 * (0.35 - 0.05)
  np.testing.assert_allclose(score(worse, start, CONFIG), wanted, rtol=1e-6)
  alone = FinetuneConfig(landmark_weight=0.0, identity_weight=0.0)
  np.testing.assert_allclose(score(worse, start, alone), 0.5, rtol=1e-6)
  plain = [Result(*given) for given in ((0, 4.0), (9, 2.0))]
  np.testing.assert_allclose(score(plain[1], plain[0], CONFIG), 0.5, rtol=1e-6)


def test_a_loss_of_nothing_divides():
  start = Result(0, 0.0)
  assert score(start, start, CONFIG) == 1 < score(Result(1, 0.1), start, CONFIG)


def _curve(looks, num_validation_frames=1, config=CONFIG):
  curve = Curve(
    config, num_validation_frames, Validator(detector='d', identity='i')
  )
  return curve, [curve.add(look) for look in looks]


def test_the_step_with_the_best_score_is_kept():
  looks = [
    Result(0, 4.0, 0.10, 0.0, 0.75),
    Result(10, 3.0, 0.10, 0.0, 0.75),
    Result(20, 2.9, 0.04, 0.0, 0.90),
    Result(
      30, 2.0, 0.52, 0.5, 0.90
    ),  # the lowest loss, but half without a face
  ]
  curve, kept = _curve(looks)
  assert kept == [True, True, True, False]
  assert curve.kept == looks[2]
  described = json.loads(json.dumps(curve.describe(), allow_nan=False))
  assert described['kept'] == 20 and described['num_validation_frames'] == 1
  assert (described['detector'], described['identity']) == ('d', 'i')
  assert [look['loss'] for look in described['results']] == [4.0, 3.0, 2.9, 2.0]
  assert [look['no_face'] for look in described['results']] == [0, 0, 0, 0.5]
  scores = [look['score'] for look in described['results']]
  assert scores == [score(look, looks[0], CONFIG) for look in looks]


def test_another_face_is_not_kept_for_its_lower_loss():
  looks = [
    Result(0, 4.0, identity=0.90),
    Result(10, 3.0, identity=0.88),
    Result(20, 2.0, identity=0.30),  # 0.5 + 2 * (0.6 - 0.05)
    Result(30, 2.9, identity=0.87),
  ]
  curve, kept = _curve(looks)
  assert kept == [True, True, False, True]
  np.testing.assert_allclose(
    [look['score'] for look in curve.describe()['results']],
    [1, 0.75, 1.6, 0.725],
    rtol=1e-6,
  )


def test_of_equal_scores_the_earlier_is_kept():
  _, kept = _curve(
    [
      Result(0, 1.0),
      Result(10, 0.5),
      Result(20, 0.5),
    ]
  )
  assert kept == [True, True, False]


def test_without_validation_frames_the_last_is_kept():
  curve, kept = _curve(
    [
      Result(0, 1.0),
      Result(10, 0.5),
      Result(20, 9.0),
    ],
    0,
  )
  assert kept == [True, True, True]
  assert curve.describe()['kept'] == 20


def test_a_long_curve_is_told_in_part():
  losses = [abs(i - 700) + 1.0 for i in range(3001)]
  curve, _ = _curve([Result(i, loss) for i, loss in enumerate(losses)])
  looks = curve.describe()['results']
  steps = [look['step'] for look in looks]
  assert len(steps) in (400, 401) and {0, 700, 3000} < set(steps)
  assert max(np.diff(steps)) <= 8 and min(np.diff(steps)) >= 1
  assert [look['loss'] for look in looks] == [losses[i] for i in steps]


class _Coded:
  """Programs that train nothing; what is drawn at look i has a level of i."""

  def __init__(self, losses):
    self._losses = iter(enumerate(losses))

  def __call__(self, *_):
    return finetune_programs.Programs(
      self._step, self._validate, lambda state, x, y: state
    )

  def _step(self, state, x, y, points):
    psi = state.generator['adain_params'] + 1
    moved = {**state.generator, 'adain_params': psi}
    return state.replace(average=moved, generator=moved), None

  def _validate(self, state, x, y, points):
    i, loss = next(self._losses)
    return loss, np.full((len(x), *x.shape[1:]), i, np.uint8)


def _finetune(monkeypatch, model, faces, errors, **settings):
  """Looks at steps 0, 2, 4 and 6; the loss falls to the end."""
  frames, points = faces
  monkeypatch.setattr(finetuning, 'build_programs', _Coded([5, 4, 3, 2]))

  def detect(picture):
    real = np.ptp(picture) > 0
    where = errors[int(picture[0, 0, 0])] if not real else 0.0
    if where is None:
      return []
    scale = np.linalg.norm(points[0, 36] - points[0, 45])
    # Frames are shown to the detector at 256 pixels.
    return [Face((points[0] + (where * scale, 0)) * 256 / tiny_game.SIZE)]

  settings = dataclasses.replace(
    SETTINGS, min_steps=6, max_steps=6, landmark_weight=1.0, **settings
  )
  frames, points = frames.copy(), np.repeat(points[:1], len(frames), 0)
  progress = []
  person = fewshot.finetune(
    model,
    frames,
    points,
    settings,
    on_progress=progress.append,
    validator=Validator(detect, detector='fake'),
  )
  moved = fewshot.feed_forward(model, frames, points).adain_params
  moved = person.adain_params - moved
  return person, np.unique(moved.round(3)).tolist(), progress


def test_the_landmark_error_decides_beside_the_loss(monkeypatch, model):
  faces = tiny_game.make_faces(6)
  # Without it step 6 would be kept, whose loss is the lowest.
  person, moved, progress = _finetune(
    monkeypatch, model, faces, [0.5, 0.1, 0.05, None]
  )
  assert person.info['steps'] == 4 and moved == [4]
  assert person.info['validation_loss'] == 3
  curve = person.info['curve']
  assert curve['kept'] == 4 and curve['detector'] == 'fake'
  assert curve['identity'] is None and curve['num_validation_frames'] == 1
  found = [look['landmark_error'] for look in curve['results']]
  np.testing.assert_allclose(found, [0.5, 0.1, 0.05, 1.0], rtol=1e-5)
  assert [look['no_face'] for look in curve['results']] == [0, 0, 0, 1]
  assert [look.best_step for look in progress] == [2, 4, 4]
  np.testing.assert_allclose(progress[-1].result.landmark_error, 1)
  # Losses are 3/5 and 2/5 of the first; the last has lost 0.5.
  scores = [look['score'] for look in curve['results']]
  np.testing.assert_allclose(scores[2:], [0.6, 0.4 + 0.5 - 0.03], rtol=1e-4)


def test_of_one_image_the_last_is_kept_and_all_is_told(monkeypatch, model):
  faces = tiny_game.make_faces(1)
  person, moved, _ = _finetune(monkeypatch, model, faces, [0.1, 0.2, None, 0.3])
  assert person.info['steps'] == 6 and moved == [6]
  curve = person.info['curve']
  assert curve['num_validation_frames'] == 0 and curve['kept'] == 6
  found = [look['landmark_error'] for look in curve['results']]
  np.testing.assert_allclose(found, [0.1, 0.2, 1.0, 0.3], rtol=1e-5)


def test_it_ends_when_the_score_improves_no_more(monkeypatch, model):
  faces = tiny_game.make_faces(6)
  _, moved, progress = _finetune(
    monkeypatch, model, faces, [0.1, 0.02, None, None], patience=1
  )
  assert progress[-1].step == 4 and moved == [2]


def test_the_models_own_embeddings_are_the_proxy(model, faces):
  frames, points = faces
  validator = assemble(model)
  assert validator.identity == PROXY and 'CSIM' not in validator.identity
  assert validator.detect is None and validator.detector is None
  found = validator.embed(frames, points)
  for i in range(len(frames)):
    one = slice(i, i + 1)
    alone, _ = embed_person(model, frames[one], points[one])
    np.testing.assert_allclose(found[i], alone, rtol=1e-3, atol=1e-5)


def test_arcface_sees_faces_where_they_were_asked_for(model):
  frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
  points = _points(2) / 4
  network = MetricNetwork(
    'arcface_r50',
    '',
    lambda x: x.reshape(len(x), -1),
    'unverified weights',
    'a',
  )
  validator = assemble(model, ('d', lambda picture: []), network)
  assert validator.identity == 'CSIM (unverified weights)'
  assert validator.identify() == {
    'detector': 'd', 'identity': 'CSIM (unverified weights)', 'weights': 'a'
  }  # fmt: skip
  wanted = 2 * identity.align(frames, points) - 1
  np.testing.assert_allclose(
    validator.embed(frames, points), wanted.reshape(2, -1), rtol=1e-6
  )


def test_the_usual_validator_says_what_is_missing(model, monkeypatch, tmp_path):
  monkeypatch.setenv('FLAXHEADS_WEIGHTS', str(tmp_path))
  assert make_validator(model).identify() == {
    'detector': 'attention mesh', 'identity': PROXY, 'weights': None
  }  # fmt: skip
