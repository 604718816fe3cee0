"""Who is given the frames that drive: methods that ask, and no others."""

import numpy as np
import pytest

from flaxheads.evaluation import protocol, results, trials
from flaxheads.evaluation.protocol import Method
from flaxheads.metrics import image as image_metrics
from tests.faces import make_person


class Echo:
  """Answers with the frames that drive, or black; notes its drivers."""

  def __init__(self):
    self.drivers = []

  def __call__(self, frames, points, drivers):
    self.drivers.append(drivers)
    if drivers.frames is None:
      return np.zeros((len(drivers.points), *frames.shape[1:]), np.uint8)
    return drivers.frames


@pytest.fixture
def people():
  made = [make_person(f'p{i}', seed=i) for i in range(2)]
  return trials.make_trials(made, (4,), 'halves', num_test_frames=5)


def _run(everybody, folder, asks):
  """What a method was given, and the rows."""
  echo = Echo()
  rows = protocol.evaluate(
    everybody,
    [Method('echo', echo, driven_by_frames=asks)],
    (4,),
    results.Store(folder),
    cross=True,
  )
  return echo.drivers, [row for row in rows if row['method'] == 'echo']


def test_a_method_that_asks_gets_its_own_frames_and_the_next_person_s(
  people, tmp_path
):
  (first, second), rows = _run(people, tmp_path, asks=True)
  tests = [(t.frames[t.test], t.points[t.test]) for t in people]
  for drivers, order in ((first, (0, 1)), (second, (1, 0))):
    frames, points = zip(*(tests[i] for i in order), strict=True)
    np.testing.assert_array_equal(drivers.frames, np.concatenate(frames))
    np.testing.assert_array_equal(drivers.points, np.concatenate(points))
  own = [row for row in rows if row['driver'] is None]
  assert [row['psnr'] for row in own] == [image_metrics.MAX_PSNR] * 2


def test_results_depend_on_the_frames_of_whoever_was_given_them(
  people, tmp_path
):
  def draw_again(asks):
    folder = tmp_path / str(asks)
    _run(people, folder, asks)
    trial = people[1]
    frames = trial.frames.copy()
    frames[trial.test] = 255 - frames[trial.test]
    changed = [people[0], trial._replace(frames=frames)]
    drivers, _ = _run(changed, folder, asks)
    return [len(each.points) for each in drivers]

  # The second person's true frames are others: all of theirs is made again.
  # The first one moved as these frames do.
  assert draw_again(asks=True) == [5, 10]
  assert draw_again(asks=False) == [10]


def test_nobody_else_sees_a_true_frame(people, tmp_path):
  drivers, _ = _run(people, tmp_path, asks=False)
  assert [each.frames for each in drivers] == [None, None]
