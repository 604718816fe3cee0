"""Mixes several datasets: which record is at which position.

A single dataset is a mixture of one part, so there is one way to read.
"""

import bisect
import fractions
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import grain

from flaxheads.errors import UserError

_EXAMPLE = 'voxceleb2:0.8,synthetic_heads:0.2'
_NAME = re.compile(r'[A-Za-z]\w*', re.ASCII)
_WEIGHT = re.compile(r'\d{1,9}(\.\d{1,9})?', re.ASCII)


def parse_mixture(text: str) -> dict[str, int]:
  """Parses the names and weights of a mixture.

  Args:
    text: a name, or names with weights: 'voxceleb2:0.8,synthetic_heads:0.2'.
      Weights are plain decimals. The share of a dataset is its weight over the
      sum of all weights.

  Returns:
    {name: weight} in the given order, as the smallest integers in exactly that
    proportion (here 4 and 1).

  Raises:
    UserError: no name, a repeated name, or a weight that is missing, zero or
      not a decimal number.
  """

  def user_error(what):
    return UserError(
      f'dataset={text!r}: {what}; give one name, or names and weights such as'
      f' {_EXAMPLE}'
    )

  weights: dict[str, fractions.Fraction] = {}
  items = text.split(',')
  for item in items:
    name, colon, weight = item.strip().partition(':')
    if not colon and len(items) == 1:
      weight = '1'
    if not _NAME.fullmatch(name):
      raise user_error(f'{name!r} is not a dataset name')
    if name in weights:
      raise user_error(f'{name} is given twice')
    if not weight:
      raise user_error(f'{name} has no weight')
    if not _WEIGHT.fullmatch(weight) or not fractions.Fraction(weight):
      raise user_error(
        f'the weight of {name}, {weight!r}, is not a number above 0'
      )
    weights[name] = fractions.Fraction(weight)
  common = math.lcm(*(weight.denominator for weight in weights.values()))
  whole = [int(weight * common) for weight in weights.values()]
  divisor = math.gcd(*whole)
  return {
    name: weight // divisor for name, weight in zip(weights, whole, strict=True)
  }


class Part(NamedTuple):
  """One dataset of a mixture."""

  records: Sequence[dict]
  weight: int = 1  # share of the samples, relative to the other parts


class Mixture(Sequence):
  """The records of all parts, one part after the other.

  The i of `mixture[i]` is the video index in training.

  Args:
    parts: at least one.
  """

  def __init__(self, parts: Sequence[Part]):
    self.parts = tuple(parts)
    lengths = [len(part.records) for part in self.parts]
    self.offsets = tuple(sum(lengths[:i]) for i in range(len(lengths)))
    self._length = sum(lengths)

  def __len__(self) -> int:
    return self._length

  def __getitem__(self, index: int) -> dict:
    if not 0 <= index < self._length:
      raise IndexError(index)
    # Empty parts share an offset with the part after them: take the last one.
    part = bisect.bisect_right(self.offsets, index) - 1
    return self.parts[part].records[index - self.offsets[part]]


def as_mixture(source) -> Mixture:
  """Returns a mixture as it is, and wraps a sequence of records in one."""
  return source if isinstance(source, Mixture) else Mixture([Part(source)])


class Interleaving(grain.transforms.DatasetSelectionMap):
  """Assigns each position to a part, in exact proportion to the weights.

  grain's own mixing rounds proportions to hundredths of the smallest one: 7 to
  3 becomes 233 to 100. Here, after every multiple of sum(weights) positions
  each part has had exactly its share. In between it is off by at most as many
  samples as there are parts.

  Args:
    weights: positive integers.
    length: number of positions.
  """

  def __init__(self, weights: Sequence[int], length: int):
    self._weights = tuple(weights)
    self._length = length

  def __len__(self) -> int:
    return self._length

  def __getitem__(self, index: int) -> tuple[int, int]:
    """(part, number of its earlier samples) at a position."""
    left = sum(self._weights)
    for part, weight in enumerate(self._weights):
      # How many of the first `index` and `index + 1` positions belong to this
      # part. The others are divided among the parts after it.
      before, after = (-(-n * weight // left) for n in (index, index + 1))
      if after > before:
        return part, before
      index, left = index - before, left - weight
    raise AssertionError('unreachable: the last part takes what is left')
