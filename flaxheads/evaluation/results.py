"""Rows of results: a file that survives interruption, and their statistics."""

import json
import os
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxheads.data.output_files import atomic_path
from flaxheads.errors import ARCHIVE_ERRORS, UserError

NUM_RESAMPLES = 10_000
LEVEL = 0.95  # of intervals


class Store:
  """Results, found by fingerprint: numbers and arrays.

  The numbers are JSON lines in `results.jsonl`; the arrays of each, features
  and a few generated frames, are an `.npz` file in `arrays/`, written before
  its line: a line without it is no result.
  """

  def __init__(self, folder: Path):
    """Reads what an earlier evaluation left.

    Args:
      folder: made if missing.

    Raises:
      UserError: `folder` is a file or cannot be made.
    """
    self._arrays = folder / 'arrays'
    try:
      self._arrays.mkdir(parents=True, exist_ok=True)
    except OSError as error:
      raise UserError(
        f'--output: {folder} cannot be used as a folder ({error.strerror})'
      ) from None
    self._path = folder / 'results.jsonl'
    self._rows = {}
    text = self._path.read_text() if self._path.exists() else ''
    # An interruption may leave half a line; the next one must not join it.
    self._torn = bool(text) and not text.endswith('\n')
    for line in text.splitlines():
      try:
        row = json.loads(line)
        self._rows[row['fingerprint']] = row
      except (ValueError, KeyError, TypeError):
        continue

  def _file(self, fingerprint: str) -> Path:
    return self._arrays / f'{fingerprint[:20]}.npz'

  def find(self, fingerprint: str) -> dict | None:
    """The row with this fingerprint; None where it or its arrays are lost."""
    row = self._rows.get(fingerprint)
    return row if row and zipfile.is_zipfile(self._file(fingerprint)) else None

  def add(self, row: dict, arrays: dict[str, np.ndarray]) -> dict:
    """Appends a row, and is sure that the disk has it; returns the row."""
    line = json.dumps(row, allow_nan=False) + '\n'
    with atomic_path(self._file(row['fingerprint'])) as temporary:
      np.savez_compressed(temporary, **arrays)
    with self._path.open('a') as file:
      file.write('\n' + line if self._torn else line)
      file.flush()
      os.fsync(file.fileno())
    self._torn = False
    self._rows[row['fingerprint']] = row
    return row

  def arrays(self, row: dict) -> dict[str, np.ndarray]:
    """The arrays that were added with a row.

    Raises:
      UserError: their file is damaged.
    """
    path = self._file(row['fingerprint'])
    try:
      with np.load(path, allow_pickle=False) as file:
        return dict(file)
    except ARCHIVE_ERRORS as error:
      raise UserError(
        f'{path}: damaged ({error}); delete it and run the command again,'
        ' which computes this result again'
      ) from None


class Estimate(NamedTuple):
  """A mean over people and its interval; None where there is no value.

  Attributes:
    mean: of the people that have a value.
    low: lower end of the interval; None for fewer than two people.
    high: upper end.
    count: people that have a value.
  """

  mean: float | None
  low: float | None
  high: float | None
  count: int


def mean_or_none(values) -> float | None:
  """Mean of the values that are not NaN; None where all are."""
  values = np.asarray(values, np.float64)
  values = values[~np.isnan(values)]
  return float(values.mean()) if len(values) else None


def draw_people(count: int, seed=0, num_resamples=NUM_RESAMPLES) -> np.ndarray:
  """Who is in each resample: int [R, count], sampled with replacement."""
  rng = np.random.default_rng(seed)
  return rng.integers(0, count, (num_resamples, count))


def percentile_interval(values, level=LEVEL) -> tuple[float, float]:
  """Ends of the percentile bootstrap interval (Efron 1979); NaN left out.

  Args:
    values: the estimate of each resample, float [R].
    level: of the interval, in (0, 1).

  Returns:
    (low, high).
  """
  values = values[~np.isnan(values)]
  low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
  return float(low), float(high)


def bootstrap_mean(values, seed=0, num_resamples=NUM_RESAMPLES) -> Estimate:
  """Mean with a percentile bootstrap interval over people.

  Args:
    values: one number a person; None and NaN are left out.
    seed: of numpy's generator.
    num_resamples: how often people are resampled, with replacement.

  Returns:
    Estimate.
  """
  values = np.array([np.nan if v is None else v for v in values], np.float64)
  values = values[~np.isnan(values)]
  count = len(values)
  if count < 2:
    return Estimate(mean_or_none(values), None, None, count)
  means = values[draw_people(count, seed, num_resamples)].mean(1)
  return Estimate(float(values.mean()), *percentile_interval(means), count)
