"""Several data sets as one: whose record comes at which position.

A mixture of one is a data set by itself, so that there is one way to read.
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
  """Reads which data sets, and how often each.

  Args:
    text: a name, or names with weights: 'voxceleb2:0.8,synthetic_heads:0.2'.
      Weights are shares of the samples, relative to their sum, in plain
      decimals.

  Returns:
    Weight by name in the order given: the smallest whole numbers in exactly
    that proportion (4 and 1 here).

  Raises:
    UserError: no name, a name given twice, or a weight that is missing, zero
      or no plain number.
  """

  def refuse(what):
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
      raise refuse(f'{name!r} is no name of a data set')
    if name in weights:
      raise refuse(f'{name} is given twice')
    if not weight:
      raise refuse(f'{name} has no weight')
    if not _WEIGHT.fullmatch(weight) or not fractions.Fraction(weight):
      raise refuse(f'the weight of {name}, {weight!r}, is no number above 0')
    weights[name] = fractions.Fraction(weight)
  common = math.lcm(*(weight.denominator for weight in weights.values()))
  whole = [int(weight * common) for weight in weights.values()]
  divisor = math.gcd(*whole)
  return {
    name: weight // divisor for name, weight in zip(weights, whole, strict=True)
  }


class Part(NamedTuple):
  """One data set of a mixture."""

  records: Sequence[dict]
  weight: int = 1  # share of the samples, relative to the other parts'


class Mixture(Sequence):
  """The records of all parts, one part after the other.

  `mixture[i]` is a record, and i what training calls its video index.

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
    # The last of those that begin here: a part before it may be empty.
    part = bisect.bisect_right(self.offsets, index) - 1
    return self.parts[part].records[index - self.offsets[part]]


def as_mixture(source) -> Mixture:
  """The mixture itself, or a sequence of records as a mixture of one."""
  return source if isinstance(source, Mixture) else Mixture([Part(source)])


class Turns(grain.transforms.DatasetSelectionMap):
  """Which part has its turn at a position, in exact proportion.

  Not grain's own proportions: it rounds them to hundredths of the smallest,
  7 to 3 becoming 233 to 100. At any position each part has had its share to
  within as many samples as there are parts; after sum(weights) samples, and
  every multiple of it, exactly.

  Args:
    weights: whole numbers above 0.
    length: positions there are.
  """

  def __init__(self, weights: Sequence[int], length: int):
    self._weights = tuple(weights)
    self._length = length

  def __len__(self) -> int:
    return self._length

  def __getitem__(self, index: int) -> tuple[int, int]:
    """(part, how many of its samples came before) at a position."""
    left = sum(self._weights)
    for part, weight in enumerate(self._weights):
      # How many of the first `index` and `index + 1` positions are its own;
      # the others are shared out among the parts after it.
      before, after = (-(-n * weight // left) for n in (index, index + 1))
      if after > before:
        return part, before
      index, left = index - before, left - weight
    raise AssertionError('the last part takes what is left')
