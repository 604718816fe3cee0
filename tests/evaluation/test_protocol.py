"""Who sees which frames, what is measured, and what a second run repeats."""

from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from flaxheads.errors import UserError
from flaxheads.evaluation import protocol, splits
from flaxheads.evaluation.protocol import Detection, Method
from flaxheads.metrics import image as image_metrics
from tests.evaluation.faces import make_person

SHOTS = (1, 4)


class FakeFace(NamedTuple):
  points: np.ndarray


class Copying:
  """Answers with the first support frame, and notes what it was given."""

  def __init__(self):
    self.calls = []

  def __call__(self, frames, points, drivers):
    self.calls.append((frames, points, drivers))
    return np.repeat(frames[:1], len(drivers), 0)


def _trials(num_people=2, how='halves', **kwargs):
  people = [make_person(f'p{i}', seed=i, **kwargs) for i in range(num_people)]
  return protocol.make_trials(people, SHOTS, how, num_test_frames=5)


def _blind(_):
  return []


def _find(rows, **wanted):
  rows = [r for r in rows if wanted.items() <= r.items()]
  assert len(rows) == 1, rows
  return rows[0]


@pytest.mark.parametrize('how', splits.SPLITS)
def test_no_method_sees_a_held_out_frame(how, tmp_path):
  method = Copying()
  trials = _trials(how=how)
  protocol.evaluate(trials, [Method('copy', method)], SHOTS, tmp_path)
  assert len(method.calls) == len(trials) * len(SHOTS)
  for i, (frames, points, drivers) in enumerate(method.calls):
    trial = trials[i // len(SHOTS)]
    person = make_person(trial.name, seed=i // len(SHOTS))
    held_out = trial.frames[trial.test]
    assert len(frames) == len(points) == SHOTS[i % len(SHOTS)]
    for frame, face in zip(frames, points, strict=True):
      assert not (held_out == frame).all((1, 2, 3)).any()
      # Frames and points still belong together.
      index = int((person.frames == frame).all((1, 2, 3)).argmax())
      np.testing.assert_array_equal(face, person.points[index])
    np.testing.assert_array_equal(drivers, trial.points[trial.test])


def test_trials_keep_only_the_frames_they_need():
  trial = protocol.make_trial(make_person(num_frames=200), (1, 8), 'halves', 5)
  assert len(trial.frames) <= 1 + 8 + 5
  person = make_person(num_frames=200)
  expected = splits.split_clip(200, 'halves', 5).test
  np.testing.assert_array_equal(
    trial.frames[trial.test], person.frames[expected]
  )
  np.testing.assert_array_equal(
    trial.points[trial.test], person.points[expected]
  )


def test_rows_measure_the_right_pictures(tmp_path):
  trials = _trials()
  rows = protocol.evaluate(trials, [Method('copy', Copying())], SHOTS, tmp_path)
  assert [(r['person'], r['num_shots']) for r in rows] == [
    ('p0', 1), ('p0', 4), ('p1', 1), ('p1', 4),
  ]  # fmt: skip
  trial = trials[1]
  real = trial.frames[trial.test] / 255
  copy = trial.frames[trial.support[4][0]] / 255
  expected = [-10 * np.log10(np.square(copy - r).mean()) for r in real]
  row = _find(rows, person='p1', num_shots=4)
  np.testing.assert_allclose(row['psnr'], np.mean(expected), rtol=1e-5)
  assert row['nme'] is None and row['failure_rate'] is None
  assert row['num_test_frames'] == 5


def test_a_perfect_method_has_perfect_scores(tmp_path):
  trials = _trials(1)
  truth = trials[0].frames[trials[0].test]
  row = protocol.evaluate(
    trials, [Method('oracle', lambda *_: truth)], (1,), tmp_path
  )[0]
  assert row['psnr'] == row['psnr_face'] == image_metrics.MAX_PSNR
  np.testing.assert_allclose(row['ssim'], 1, atol=1e-6)


def test_face_psnr_counts_the_face_alone(tmp_path):
  trials = _trials(1)
  truth = trials[0].frames[trials[0].test].copy()
  truth[:, :4] = 255 - truth[:, :4]  # spoil the top, above the brows
  row = protocol.evaluate(
    trials, [Method('hat', lambda *_: truth)], (1,), tmp_path
  )[0]
  assert row['psnr_face'] == image_metrics.MAX_PSNR
  assert row['psnr'] < 20


def test_landmark_error_failures_and_floor(tmp_path):
  trials = _trials(1)
  points = trials[0].points[trials[0].test]
  iod = np.linalg.norm(points[0, 36] - points[0, 45])
  frames = np.zeros((5, 32, 32, 3), np.uint8)
  frames += (np.arange(5) * 40).astype(np.uint8)[:, None, None, None]

  def detect(picture):
    if np.ptp(picture):  # a real frame: noise
      return []
    i = int(picture[0, 0, 0]) // 40
    # Frame 3 has no face; the others are i pixels off, at 8 times the size.
    return [] if i == 3 else [FakeFace(8 * (points[i] + (0, i)))]

  rows = protocol.evaluate(
    trials,
    [Method('grey', lambda *_: frames)],
    (1,),
    tmp_path,
    Detection('fake', detect),
  )
  row = _find(rows, method='grey')
  np.testing.assert_allclose(row['failure_rate'], 1 / 5)
  np.testing.assert_allclose(row['nme'], np.mean([0, 1, 2, 4]) / iod, rtol=1e-4)
  real = _find(rows, method=protocol.REAL)
  assert (real['num_shots'], real['nme'], real['failure_rate']) == (0, None, 1)


def test_a_second_run_repeats_nothing(tmp_path):
  first, second = Copying(), Copying()
  trials = _trials()
  rows = protocol.evaluate(trials, [Method('copy', first)], SHOTS, tmp_path)
  again = protocol.evaluate(trials, [Method('copy', second)], SHOTS, tmp_path)
  assert len(first.calls) == 4 and not second.calls
  assert again == rows


def test_an_interrupted_run_goes_on(tmp_path):
  class Interrupted(Copying):
    def __call__(self, *args):
      if len(self.calls) == 3:
        raise KeyboardInterrupt
      return super().__call__(*args)

  trials = _trials()
  with pytest.raises(KeyboardInterrupt):
    protocol.evaluate(trials, [Method('copy', Interrupted())], SHOTS, tmp_path)
  rest = Copying()
  rows = protocol.evaluate(trials, [Method('copy', rest)], SHOTS, tmp_path)
  assert len(rest.calls) == 1
  fresh = protocol.evaluate(
    trials, [Method('copy', Copying())], SHOTS, tmp_path / 'fresh'
  )
  for row, other in zip(rows, fresh, strict=True):
    assert {**row, 'seconds': 0} == {**other, 'seconds': 0}


@pytest.mark.parametrize(
  'change',
  ['settings', 'name', 'frames', 'points', 'detector', 'num_test_frames'],
)
def test_anything_that_matters_is_measured_again(change, tmp_path):
  person = make_person()
  make = protocol.make_trial
  trial = make(person, (1,), 'halves', 5)
  protocol.evaluate(
    [trial], [Method('copy', Copying(), {'steps': 1})], (1,), tmp_path
  )
  name, settings, detection = 'copy', {'steps': 1}, None
  if change == 'settings':
    settings = {'steps': 2}
  elif change == 'name':
    name = 'copy2'
  elif change == 'frames':
    trial = make(person._replace(frames=255 - person.frames), (1,), 'halves', 5)
  elif change == 'points':
    trial = make(person._replace(points=person.points + 1), (1,), 'halves', 5)
  elif change == 'detector':
    detection = Detection('blind', _blind)
  else:
    trial = make(person, (1,), 'halves', 4)
  method = Copying()
  protocol.evaluate(
    [trial], [Method(name, method, settings)], (1,), tmp_path, detection
  )
  assert len(method.calls) == 1


def test_more_shots_or_people_keep_the_old_results(tmp_path):
  people = [make_person(f'p{i}', seed=i) for i in range(3)]

  def run(count, shots):
    method = Copying()
    trials = protocol.make_trials(people[:count], shots, 'halves', 5)
    protocol.evaluate(trials, [Method('copy', method)], shots, tmp_path)
    return len(method.calls)

  assert run(2, (1,)) == 2
  assert run(3, (1, 4)) == 1 + 3


def test_the_shown_picture_is_kept_and_made_again_when_lost(tmp_path):
  trials = _trials(1)
  method = Copying()

  def run():
    rows = protocol.evaluate(trials, [Method('copy', method)], (4,), tmp_path)
    return tmp_path / rows[0]['picture']

  picture = run()
  expected = trials[0].frames[trials[0].support[4][0]]
  np.testing.assert_array_equal(np.asarray(Image.open(picture)), expected)
  picture.unlink()
  assert run().exists() and len(method.calls) == 2


def test_only_the_first_people_have_pictures(tmp_path):
  trials = _trials(protocol.NUM_SHOWN + 2)
  rows = protocol.evaluate(trials, [Method('copy', Copying())], (1,), tmp_path)
  shown = [row['person'] for row in rows if 'picture' in row]
  assert shown == [trial.name for trial in trials[: protocol.NUM_SHOWN]]


def test_wrong_drawn_frames_are_a_defect(tmp_path):
  trials = _trials(1)
  short = Method('short', lambda frames, *_: frames)
  with pytest.raises(ValueError, match='drawn frames') as caught:
    protocol.evaluate(trials, [short], (1,), tmp_path)
  assert not isinstance(caught.value, UserError)


@pytest.mark.parametrize(
  ('names', 'shots'), [(['a', 'a'], (1,)), (['real'], (1,)), ([], (1,)),
                       (['a'], (0,))]
)  # fmt: skip
def test_wrong_names_and_numbers_are_refused(names, shots, tmp_path):
  methods = [Method(name, Copying()) for name in names]
  output = tmp_path / 'out'
  with pytest.raises(UserError):
    protocol.evaluate(_trials(1), methods, shots, output)
  assert not output.exists()


def test_wrong_people_are_refused():
  ann = make_person('ann')
  with pytest.raises(UserError, match='no people'):
    protocol.make_trials([], (1,), 'halves')
  with pytest.raises(UserError, match="'ann' names two"):
    protocol.make_trials([ann, ann], (1,), 'halves')
  with pytest.raises(UserError, match='num_shots: empty'):
    protocol.make_trials([ann], (), 'halves')
  with pytest.raises(UserError, match='ann has 10; ask for at most 10'):
    protocol.make_trials([ann], (1, 32), 'halves')
  with pytest.raises(UserError, match='bob: 1 frame'):
    protocol.make_trials([make_person('bob', 1)], (1,), 'halves')
