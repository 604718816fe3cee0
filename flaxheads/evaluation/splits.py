"""Which frames of a clip are support and which are for testing."""

from typing import NamedTuple

import numpy as np

from flaxheads.errors import UserError, check_choice, check_range

SPLITS = ('halves', 'spread')


class ClipSplit(NamedTuple):
  """Indices of frames, ascending; no frame is in both.

  Attributes:
    support: int [P], the pool that the T support frames are taken from.
    test: int [N], of the test frames.
  """

  support: np.ndarray
  test: np.ndarray


def spread_evenly(pool, count: int) -> np.ndarray:
  """`count` members of `pool` [P], the middles of `count` equal parts."""
  return pool[((np.arange(count) + 0.5) * len(pool) / count).astype(int)]


def split_clip(num_frames, how, num_test_frames=32, seed=0) -> ClipSplit:
  """Divides a clip into support pool and test frames.

  Args:
    num_frames: F, at least 2.
    how: 'halves': the second half of the clip is for testing, so that a test
      frame is as far from the support as the clip allows. 'spread': test
      frames lie between support frames, one at random in each of N equal
      parts of the clip; neighbours in time are alike, which flatters copying.
    num_test_frames: N at most; never more than half of the clip.
    seed: for 'spread'.

  Returns:
    ClipSplit.

  Raises:
    UserError: the clip has one frame, or a wrong name or number.
  """
  check_choice('split_clip', how, SPLITS)
  check_range('num_test_frames', num_test_frames, 1)
  if num_frames < 2:
    raise UserError(
      f'a clip of {num_frames} frame cannot be split into support and'
      ' test frames; at least 2 are needed'
    )
  frames = np.arange(num_frames)
  half = num_frames // 2
  if how == 'halves':
    later = frames[half:]
    count = min(num_test_frames, len(later))
    return ClipSplit(frames[:half], spread_evenly(later, count))
  rng = np.random.default_rng(seed)
  parts = np.array_split(frames, min(num_test_frames, half))
  test = np.array([rng.choice(part) for part in parts])
  return ClipSplit(np.setdiff1d(frames, test), test)


def choose_support(split: ClipSplit, num_shots: int, name: str) -> np.ndarray:
  """T support frames spread evenly over the pool.

  Args:
    split: of one clip.
    num_shots: T, at least 1.
    name: of the clip, for the message.

  Returns:
    int [T], indices of frames.

  Raises:
    UserError: the pool is smaller than T.
  """
  check_range('num_shots', num_shots, 1)
  if num_shots > len(split.support):
    raise UserError(
      f'num_shots: {num_shots} support frames are requested, but {name} has'
      f' {len(split.support)}; request at most {len(split.support)}'
    )
  return spread_evenly(split.support, num_shots)
