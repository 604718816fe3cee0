"""Who sees which frames, what is measured, and what a second run repeats."""

from typing import NamedTuple

import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.evaluation import protocol, results, splits, trials
from flaxheads.evaluation.evaluators import Detection, Evaluators
from flaxheads.evaluation.protocol import Method
from flaxheads.metrics import image as image_metrics
from tests.faces import make_person

SHOTS = (1, 4)


class FakeFace(NamedTuple):
  points: np.ndarray


class Copying:
  """Answers with the first support frame, and notes what it was given."""

  def __init__(self):
    self.calls = []

  def __call__(self, frames, points, drivers):
    self.calls.append((frames, points, drivers))
    return np.repeat(frames[:1], len(drivers.points), 0)


def _trials(num_people=2, how='halves', **kwargs):
  people = [make_person(f'p{i}', seed=i, **kwargs) for i in range(num_people)]
  return trials.make_trials(people, SHOTS, how, num_test_frames=5)


def _evaluate(people, methods, num_shots, folder, detection=None, **kwargs):
  """The rows of the methods, without those of the real frames."""
  rows = protocol.evaluate(
    people,
    methods,
    num_shots,
    results.Store(folder),
    Evaluators(detection),
    **kwargs,
  )
  return [row for row in rows if row['method'] != protocol.REAL]


def _blind(_):
  return []


def _find(rows, **wanted):
  rows = [r for r in rows if wanted.items() <= r.items()]
  assert len(rows) == 1, rows
  return rows[0]


@pytest.mark.parametrize('how', splits.SPLITS)
def test_no_method_sees_a_test_frame(how, tmp_path):
  method = Copying()
  everybody = _trials(how=how)
  _evaluate(everybody, [Method('copy', method)], SHOTS, tmp_path)
  assert len(method.calls) == len(everybody) * len(SHOTS)
  for i, (frames, points, drivers) in enumerate(method.calls):
    trial = everybody[i // len(SHOTS)]
    person = make_person(trial.name, seed=i // len(SHOTS))
    test_frames = trial.frames[trial.test]
    assert len(frames) == len(points) == SHOTS[i % len(SHOTS)]
    for frame, face in zip(frames, points, strict=True):
      assert not (test_frames == frame).all((1, 2, 3)).any()
      # Frames and points still belong together.
      index = int((person.frames == frame).all((1, 2, 3)).argmax())
      np.testing.assert_array_equal(face, person.points[index])
    np.testing.assert_array_equal(drivers.points, trial.points[trial.test])
    assert drivers.frames is None


def test_rows_measure_the_right_images(tmp_path):
  everybody = _trials()
  rows = _evaluate(everybody, [Method('copy', Copying())], SHOTS, tmp_path)
  assert [(r['person'], r['num_shots']) for r in rows] == [
    ('p0', 1), ('p0', 4), ('p1', 1), ('p1', 4),
  ]  # fmt: skip
  trial = everybody[1]
  real = trial.frames[trial.test] / 255
  copy = trial.frames[trial.support[4][0]] / 255
  expected = [-10 * np.log10(np.square(copy - r).mean()) for r in real]
  row = _find(rows, person='p1', num_shots=4)
  np.testing.assert_allclose(row['psnr'], np.mean(expected), rtol=1e-5)
  assert 'nme' not in row and 'failure_rate' not in row  # no detector
  assert row['num_test_frames'] == 5


def test_a_perfect_method_has_perfect_scores(tmp_path):
  everybody = _trials(1)
  truth = everybody[0].frames[everybody[0].test]
  row = _evaluate(
    everybody, [Method('oracle', lambda *_: truth)], (1,), tmp_path
  )[0]
  assert row['psnr'] == row['psnr_face'] == image_metrics.MAX_PSNR
  np.testing.assert_allclose(row['ssim'], 1, atol=1e-6)


def test_face_psnr_counts_the_face_alone(tmp_path):
  everybody = _trials(1)
  truth = everybody[0].frames[everybody[0].test].copy()
  truth[:, :4] = 255 - truth[:, :4]  # spoil the top, above the brows
  row = _evaluate(everybody, [Method('hat', lambda *_: truth)], (1,), tmp_path)[
    0
  ]
  assert row['psnr_face'] == image_metrics.MAX_PSNR
  assert row['psnr'] < 20


def test_landmark_error_failures_and_floor(tmp_path):
  everybody = _trials(1)
  points = everybody[0].points[everybody[0].test]
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
    everybody,
    [Method('grey', lambda *_: frames)],
    (1,),
    results.Store(tmp_path),
    Evaluators(Detection('fake', detect)),
  )
  row = _find(rows, method='grey')
  np.testing.assert_allclose(row['failure_rate'], 1 / 5)
  np.testing.assert_allclose(row['nme'], np.mean([0, 1, 2, 4]) / iod, rtol=1e-4)
  real = _find(rows, method=protocol.REAL)
  assert (real['num_shots'], real['nme'], real['failure_rate']) == (0, None, 1)
  assert row['akd'] is None  # the truth has no face to compare with


def test_keypoint_distance_is_between_detections(tmp_path):
  everybody = _trials(1)
  trial = everybody[0]
  points, truth = trial.points[trial.test], trial.frames[trial.test]
  iod = np.linalg.norm(points[0, 36] - points[0, 45])
  frames = np.zeros((5, 32, 32, 3), np.uint8)
  frames += (np.arange(5) * 40).astype(np.uint8)[:, None, None, None]

  def detect(picture):
    if np.ptp(picture):  # a real frame, which one is told by its mean
      means = np.abs(truth.mean((1, 2, 3)) - picture.mean())
      if means.min() > 0.5 or means.argmin() == 2:
        return []
      return [FakeFace(8 * (points[means.argmin()] + (3, 0)))]
    i = int(picture[0, 0, 0]) // 40
    return [] if i == 1 else [FakeFace(8 * (points[i] + (3, i)))]

  (row,) = _evaluate(
    everybody,
    [Method('grey', lambda *_: frames)],
    (1,),
    tmp_path,
    Detection('fake', detect),
  )
  # Frame 1 has no face in the drawn one, frame 2 none in the true one.
  np.testing.assert_allclose(row['akd'], np.mean([0, 3, 4]) / iod, rtol=1e-4)
  asked = np.mean([np.hypot(3, i) for i in (0, 2, 3, 4)]) / iod
  np.testing.assert_allclose(row['nme'], asked, rtol=1e-4)
  np.testing.assert_allclose(row['failure_rate'], 1 / 5)


def test_another_drives_the_same_person(tmp_path):
  class Drawing(Copying):
    """Answers with the driver's first number, as grey."""

    def __call__(self, frames, points, drivers):
      super().__call__(frames, points, drivers)
      grey = drivers.points[:, 0, 0].astype(np.uint8)[:, None, None, None]
      return np.broadcast_to(grey, (len(grey), 32, 32, 3)).copy()

  method, everybody = Drawing(), _trials(3)
  rows = _evaluate(
    everybody, [Method('grey', method)], (4,), tmp_path, cross=True
  )
  assert [(r['person'], r['driver']) for r in rows] == [
    ('p0', None), ('p0', 'p1'), ('p1', None), ('p1', 'p2'),
    ('p2', None), ('p2', 'p0'),
  ]  # fmt: skip
  # Drawn once, for both motions.
  assert [len(drivers.points) for *_, drivers in method.calls] == [10, 10, 10]
  crossed = _find(rows, person='p2', driver='p0')
  assert 'psnr' not in crossed and 'ssim' not in crossed
  kept = results.Store(tmp_path).arrays(crossed)['frames']
  driver = everybody[0]
  wanted = driver.points[driver.test[protocol.kept_frames(everybody[2])], 0, 0]
  np.testing.assert_array_equal(kept[:, 0, 0, 0], wanted.astype(np.uint8))
  # Without the others' motion, its own is not drawn again.
  again = Drawing()
  _evaluate(everybody, [Method('grey', again)], (4,), tmp_path)
  assert not again.calls
  # A new driver is all that is drawn.
  _evaluate(everybody[:2], [Method('grey', again)], (4,), tmp_path, cross=True)
  assert [len(drivers.points) for *_, drivers in again.calls] == [5]
  with pytest.raises(UserError, match='at least 2 are needed'):
    _evaluate(
      everybody[:1], [Method('grey', again)], (4,), tmp_path, cross=True
    )


def test_a_method_that_draws_too_few_frames_is_a_defect(tmp_path):
  few = Method('few', lambda frames, points, drivers: frames[:1])
  with pytest.raises(ValueError, match='1 frames for 10 drivers'):
    _evaluate(_trials(2), [few], (1,), tmp_path, cross=True)


def test_a_second_run_repeats_nothing(tmp_path):
  first, second = Copying(), Copying()
  everybody = _trials()
  rows = _evaluate(everybody, [Method('copy', first)], SHOTS, tmp_path)
  again = _evaluate(everybody, [Method('copy', second)], SHOTS, tmp_path)
  assert len(first.calls) == 4 and not second.calls
  assert again == rows


def test_an_interrupted_run_goes_on(tmp_path):
  class Interrupted(Copying):
    def __call__(self, *args):
      if len(self.calls) == 3:
        raise KeyboardInterrupt
      return super().__call__(*args)

  everybody = _trials()
  with pytest.raises(KeyboardInterrupt):
    _evaluate(everybody, [Method('copy', Interrupted())], SHOTS, tmp_path)
  rest = Copying()
  rows = _evaluate(everybody, [Method('copy', rest)], SHOTS, tmp_path)
  assert len(rest.calls) == 1
  fresh = _evaluate(
    everybody, [Method('copy', Copying())], SHOTS, tmp_path / 'fresh'
  )
  for row, other in zip(rows, fresh, strict=True):
    assert {**row, 'seconds': 0} == {**other, 'seconds': 0}


@pytest.mark.parametrize(
  'change',
  ['settings', 'name', 'frames', 'points', 'detector', 'num_test_frames'],
)
def test_anything_that_matters_is_measured_again(change, tmp_path):
  person = make_person()
  make = trials.make_trial
  trial = make(person, (1,), 'halves', 5)
  _evaluate([trial], [Method('copy', Copying(), {'steps': 1})], (1,), tmp_path)
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
  _evaluate(
    [trial], [Method(name, method, settings)], (1,), tmp_path, detection
  )
  assert len(method.calls) == 1


def test_more_shots_or_people_keep_the_old_results(tmp_path):
  people = [make_person(f'p{i}', seed=i) for i in range(3)]

  def run(count, shots):
    method = Copying()
    everybody = trials.make_trials(people[:count], shots, 'halves', 5)
    _evaluate(everybody, [Method('copy', method)], shots, tmp_path)
    return len(method.calls)

  assert run(2, (1,)) == 2
  assert run(3, (1, 4)) == 1 + 3


def test_a_few_frames_are_kept_and_made_again_when_lost(tmp_path):
  everybody = _trials(1)
  trial, method = everybody[0], Copying()
  assert protocol.kept_frames(trial).tolist() == [0, 2, 4]

  def run():
    (row,) = _evaluate(everybody, [Method('copy', method)], (4,), tmp_path)
    return results.Store(tmp_path).arrays(row)['frames']

  expected = trial.frames[trial.support[4][:1]].repeat(3, 0)
  np.testing.assert_array_equal(run(), expected)
  for path in (tmp_path / 'arrays').iterdir():
    path.write_bytes(path.read_bytes()[:100])
  np.testing.assert_array_equal(run(), expected)
  assert len(method.calls) == 2


def test_wrong_generated_frames_are_a_defect(tmp_path):
  everybody = _trials(1)
  short = Method('short', lambda *_: np.zeros((5, 16, 16, 3), np.uint8))
  with pytest.raises(ValueError, match='generated frames') as caught:
    _evaluate(everybody, [short], (1,), tmp_path)
  assert not isinstance(caught.value, UserError)


@pytest.mark.parametrize(
  ('names', 'shots'), [(['a', 'a'], (1,)), (['real'], (1,)), ([], (1,)),
                       (['a'], (0,))]
)  # fmt: skip
def test_wrong_names_and_numbers_are_refused(names, shots, tmp_path):
  methods = [Method(name, Copying()) for name in names]
  with pytest.raises(UserError):
    _evaluate(_trials(1), methods, shots, tmp_path)
