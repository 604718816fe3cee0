"""Support and test frames never meet, and are spread over the clip."""

import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.evaluation import splits


@pytest.mark.parametrize('how', splits.SPLITS)
@pytest.mark.parametrize('num_frames', [2, 3, 10, 64, 65, 301])
@pytest.mark.parametrize('num_test_frames', [1, 32])
def test_support_and_test_are_disjoint(how, num_frames, num_test_frames):
  for seed in range(5):
    split = splits.split_clip(num_frames, how, num_test_frames, seed)
    assert not set(split.support) & set(split.test)
    assert len(split.test) == len(set(split.test))
    assert len(split.test) == min(
      num_test_frames, num_frames - num_frames // 2
      if how == 'halves' else num_frames // 2
    )  # fmt: skip
    every = np.concatenate([split.support, split.test])
    assert every.min() >= 0 and every.max() < num_frames
    for num_shots in (1, len(split.support)):
      chosen = splits.choose_support(split, num_shots, 'ann')
      assert len(set(chosen)) == num_shots
      assert set(chosen) <= set(split.support)


def test_halves_are_halves():
  split = splits.split_clip(64, 'halves', 32)
  np.testing.assert_array_equal(split.support, np.arange(32))
  np.testing.assert_array_equal(split.test, np.arange(32, 64))


def test_frames_are_spread_evenly():
  split = splits.split_clip(160, 'halves', 8)
  np.testing.assert_array_equal(split.test, 85 + 10 * np.arange(8))
  chosen = splits.choose_support(split, 4, 'ann')
  np.testing.assert_array_equal(chosen, [10, 30, 50, 70])
  np.testing.assert_array_equal(splits.choose_support(split, 1, 'ann'), [40])


def test_spread_holds_out_one_frame_in_each_part():
  split = splits.split_clip(100, 'spread', 10, seed=3)
  np.testing.assert_array_equal(split.test // 10, np.arange(10))
  assert len(split.support) == 90


def test_spread_follows_its_seed():
  first, same, other = (
    splits.split_clip(100, 'spread', 10, seed).test for seed in (1, 1, 2)
  )
  np.testing.assert_array_equal(first, same)
  assert np.any(first != other)


def test_too_many_shots_are_refused_with_the_possible_number():
  split = splits.split_clip(20, 'halves')
  with pytest.raises(UserError, match='ann has 10; request at most 10'):
    splits.choose_support(split, 11, 'ann')


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    ((1, 'halves'), 'at least 2'),
    ((20, 'thirds'), "'thirds' is not one of halves, spread"),
    ((20, 'halves', 0), 'num_test_frames: 0'),
  ],
)
def test_wrong_questions_are_refused(arguments, message):
  with pytest.raises(UserError, match=message):
    splits.split_clip(*arguments)
