"""Rows of results: a file that survives interruption, and their statistics."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxheads.errors import UserError


class Store:
  """Results as JSON lines in `results.jsonl`, found by fingerprint."""

  def __init__(self, folder: Path):
    """Reads what an earlier evaluation left.

    Args:
      folder: made if missing.

    Raises:
      UserError: `folder` is a file or cannot be made.
    """
    try:
      folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
      raise UserError(
        f'output: {folder} cannot be used as a folder ({error.strerror})'
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

  def find(self, fingerprint: str) -> dict | None:
    """The row with this fingerprint, or None."""
    return self._rows.get(fingerprint)

  def add(self, row: dict) -> dict:
    """Appends a row, and is sure that the disk has it; returns the row."""
    line = json.dumps(row, allow_nan=False) + '\n'
    with self._path.open('a') as file:
      file.write('\n' + line if self._torn else line)
      file.flush()
      os.fsync(file.fileno())
    self._torn = False
    self._rows[row['fingerprint']] = row
    return row


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


def bootstrap_mean(
  values, seed=0, num_resamples=10_000, level=0.95
) -> Estimate:
  """Mean with a percentile bootstrap interval (Efron 1979).

  Args:
    values: one number a person; None and NaN are left out.
    seed: of numpy's generator.
    num_resamples: how often people are drawn anew, with replacement.
    level: of the interval, in (0, 1).

  Returns:
    Estimate.
  """
  values = np.array([np.nan if v is None else v for v in values], np.float64)
  values = values[~np.isnan(values)]
  count = len(values)
  if count < 2:
    return Estimate(mean_or_none(values), None, None, count)
  rng = np.random.default_rng(seed)
  drawn = rng.integers(0, count, (num_resamples, count))
  means = values[drawn].mean(1)
  low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
  return Estimate(float(values.mean()), float(low), float(high), count)
