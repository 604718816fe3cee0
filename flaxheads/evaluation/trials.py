"""Trials: a person, the support frames and the test frames."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from flaxheads.errors import UserError
from flaxheads.evaluation import splits


class Person(NamedTuple):
  """A clip of one person: uint8 [F, S, S, 3], float32 [F, 68, 2] pixels."""

  name: str
  frames: np.ndarray
  points: np.ndarray


class Trial(NamedTuple):
  """The frames of a person that take part.

  Attributes:
    name: of the person.
    frames: uint8 [N, S, S, 3].
    points: float32 [N, 68, 2] in pixels.
    support: for each T, int [T] indices into frames.
    test: int indices into frames, ascending, none of them in a support.
  """

  name: str
  frames: np.ndarray
  points: np.ndarray
  support: dict[int, np.ndarray]
  test: np.ndarray


def make_trial(
  person: Person, num_shots, how, num_test_frames=32, seed=0
) -> Trial:
  """Splits a clip and keeps only the frames that take part.

  Args:
    person: the whole clip.
    num_shots: each T.
    how: 'halves' or 'spread'; see flaxheads.evaluation.splits.
    num_test_frames: at most so many are for testing.
    seed: of the split.

  Returns:
    Trial.

  Raises:
    UserError: the clip is too short for the largest T.
  """
  if not num_shots:
    raise UserError('num_shots: empty; at least one number is needed')
  if len(person.frames) < 2:
    raise UserError(
      f'{person.name}: one frame cannot be both support and test frame; at'
      ' least 2 frames are needed'
    )
  split = splits.split_clip(len(person.frames), how, num_test_frames, seed)
  support = {t: splits.choose_support(split, t, person.name) for t in num_shots}
  used = np.unique(np.concatenate([split.test, *support.values()]))
  return Trial(
    person.name,
    person.frames[used],
    person.points[used].astype(np.float32),
    {t: np.searchsorted(used, index) for t, index in support.items()},
    np.searchsorted(used, split.test),
  )


def make_trials(people: Iterable[Person], *args, **kwargs) -> list[Trial]:
  """`make_trial` for each person; refuses no people and duplicate names."""
  trials = [make_trial(person, *args, **kwargs) for person in people]
  if not trials:
    raise UserError('no people to evaluate; check the dataset or the source')
  names = [trial.name for trial in trials]
  duplicates = sorted({name for name in names if names.count(name) > 1})
  if duplicates:
    raise UserError(f'{duplicates[0]!r} names two people; names must differ')
  return trials
