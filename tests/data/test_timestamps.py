"""Times are mended where single frames are wrong, and kept elsewhere."""

import numpy as np
import pytest

from flaxheads.data.timestamps import frame_rate, mend

GRID = np.arange(75) / 25


def _mend(times):
  said = []
  mended = [
    time for time, _ in mend([(t, None) for t in times], 1, said.append)
  ]
  return np.array(mended), said


@pytest.mark.parametrize('index', [0, 1, 40, 73, 74])
@pytest.mark.parametrize('off', [100.0, -100.0, 5.0])
def test_one_wild_time(index, off):
  times = GRID.copy()
  times[index] += off
  mended, said = _mend(times)
  if index == 74 and off == 5.0:  # a last frame after a pause is plausible
    np.testing.assert_allclose(mended, times)
    return
  if index == 0:  # the gap before any is known is that of the container
    mended = mended[1:] - mended[1] + GRID[1]
    np.testing.assert_allclose(mended, GRID[1:])
    return
  np.testing.assert_allclose(mended, GRID, atol=0.021)
  assert len(said) == 1 and 'wrong time stamp' in said[0]


def test_two_wild_times_beside_each_other():
  times = GRID.copy()
  times[[30, 31]] += 1000
  mended, _ = _mend(times)
  np.testing.assert_allclose(mended, GRID, atol=0.05)
  assert (np.diff(mended) > 0).all()


def test_a_clock_that_is_set_back_continues():
  mended, said = _mend([*GRID, *GRID])
  np.testing.assert_allclose(mended, np.arange(150) / 25)
  assert said == ['its clock is set back after 3.0 s']


def test_a_variable_rate_and_a_pause_are_kept():
  times = np.array([0, 0.04, 0.1, 0.3, 0.32, 0.6, 30.6, 30.64, 31])
  mended, said = _mend(times)
  np.testing.assert_allclose(mended, times)
  assert said == ['no frame from 0.6 s to 30.6 s']


def test_missing_times():
  np.testing.assert_allclose(_mend([None] * 4)[0], np.arange(4))
  mended, _ = _mend([0.0, 0.5, None, 1.5, 2.0])
  assert 0.5 < mended[2] < 1.5


@pytest.mark.parametrize('rate', [24000 / 1001, 30, 60, 120, 144, 240])
def test_rates_of_rounded_times(rate):
  times = np.round(np.arange(90) * 1000 / rate) / 1000
  assert frame_rate(times, rate, 0.001) == rate
  # A wrong declaration does not count.
  assert frame_rate(times, 12.5, 0.001) == pytest.approx(rate, rel=1e-3)
