"""Reads numpy arrays out of a pickle without unpickling it.

`pickletools.genops` splits a pickle into its opcodes and runs none of them.
The few opcodes that a nested dict of float32 arrays consists of are
interpreted here, on values that are plain Python; what would be imported and
called stays a name. Everything else is refused.
"""

import math
import pickletools
from typing import NamedTuple

import numpy as np

from flaxheads.weights.contents import Contents

_MAX_OPCODES = 100_000
_MAX_DICTS = 500
_MAX_AXES = 8

# What numpy 1 and 2 name the functions that make an array and its type.
_RECONSTRUCT = (
  'numpy.core.multiarray _reconstruct',
  'numpy._core.multiarray _reconstruct',
)
_NDARRAY, _DTYPE = 'numpy ndarray', 'numpy dtype'

_CONSTANTS = {'NONE': None, 'NEWFALSE': False, 'NEWTRUE': True}
_LITERALS = (
  'BININT', 'BININT1', 'BININT2', 'BINUNICODE', 'SHORT_BINUNICODE',
  'BINBYTES', 'SHORT_BINBYTES',
)  # fmt: skip
_TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}


class _Global(NamedTuple):
  name: str


class _Dtype(NamedTuple):
  name: str


class _Array:
  """An array whose shape and bytes a later opcode gives."""

  values: np.ndarray | None = None


class _Mark:
  """The start of a tuple's or a dict's items on the stack."""


def _reduce(function, arguments):
  """What a call would make, for the two functions that are known."""
  name = function.name if isinstance(function, _Global) else None
  if name in _RECONSTRUCT and arguments[:1] == (_Global(_NDARRAY),):
    return _Array()
  if name == _DTYPE and arguments[:1] == ('f4',):
    return _Dtype('f4')
  raise ValueError(f'it would call {str(function)[:80]}')


def _build(target, state) -> None:
  """The state of an array or its type, as numpy's __reduce__ writes it."""
  if isinstance(target, _Dtype):
    if state[1] != '<':
      raise ValueError('its numbers are not little-endian')
    return
  if not isinstance(target, _Array):
    raise ValueError('an object that is no array has a state')
  _, shape, dtype, fortran, data = state
  if not isinstance(dtype, _Dtype) or not isinstance(data, bytes):
    raise ValueError('an array that is not of float32 numbers')
  if len(shape) > _MAX_AXES or 4 * math.prod(shape) != len(data):
    raise ValueError(f'an array of shape {shape[:_MAX_AXES]} does not fit')
  order = 'F' if fortran else 'C'
  target.values = np.frombuffer(data, '<f4').reshape(shape, order=order)


class _Stack:
  """The pickle machine, as far as arrays need it."""

  def __init__(self):
    self.items = []
    self._memo = {}

  def _pop_mark(self) -> list:
    at = max(i for i, x in enumerate(self.items) if isinstance(x, _Mark))
    found = self.items[at + 1 :]
    del self.items[at:]
    return found

  def _set(self, pairs) -> None:
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
      if not isinstance(key, str):
        raise ValueError('a key is no text')
      self.items[-1][key] = value

  def run(self, op: str, argument) -> None:
    """Interprets one opcode."""
    stack = self.items
    if op in _LITERALS:
      stack.append(argument)
    elif op in _CONSTANTS:
      stack.append(_CONSTANTS[op])
    elif op == 'EMPTY_DICT':
      stack.append({})
    elif op == 'GLOBAL':
      stack.append(_Global(argument))
    elif op == 'MARK':
      stack.append(_Mark())
    elif op in _TUPLES:
      stack[-_TUPLES[op] :] = [tuple(stack[-_TUPLES[op] :])]
    elif op == 'TUPLE':
      stack.append(tuple(self._pop_mark()))
    elif op == 'REDUCE':
      stack[-2:] = [_reduce(*stack[-2:])]
    elif op == 'BUILD':
      _build(stack[-2], stack.pop())
    elif op == 'SETITEM':
      pair = stack[-2:]
      del stack[-2:]
      self._set(pair)
    elif op == 'SETITEMS':
      self._set(self._pop_mark())
    elif op in ('BINPUT', 'LONG_BINPUT'):
      self._memo[argument] = stack[-1]
    elif op in ('BINGET', 'LONG_BINGET'):
      stack.append(self._memo[argument])
    elif op not in ('PROTO', 'STOP'):
      raise ValueError(f'opcode {op} is no part of arrays in dicts')


def _flatten(tree, prefix, tensors, seen) -> None:
  # A dict that appears twice could hold itself, or make a few bytes many.
  if not isinstance(tree, dict) or id(tree) in seen or len(seen) > _MAX_DICTS:
    raise ValueError('more than arrays in nested dicts')
  seen.add(id(tree))
  for key, value in tree.items():
    name = f'{prefix}{key}'
    if isinstance(value, _Array) and value.values is not None:
      tensors[name] = value.values
    else:
      _flatten(value, f'{name}/', tensors, seen)


def read(path: str) -> Contents:
  """Reads a nested dict of float32 arrays.

  Args:
    path: of a pickle, of protocol 2 to 3.

  Returns:
    Contents; names are keys joined by '/'.

  Raises:
    ValueError: damaged, or anything but arrays in dicts.
  """
  with open(path, 'rb') as file:
    data = file.read()
  stack = _Stack()
  try:
    for count, (op, argument, _) in enumerate(pickletools.genops(data)):
      if count > _MAX_OPCODES:
        raise ValueError(f'more than {_MAX_OPCODES} opcodes')
      stack.run(op.name, argument)
  except (IndexError, KeyError, TypeError, AttributeError):
    raise ValueError('its opcodes do not go together') from None
  if len(stack.items) != 1:
    raise ValueError('it does not end with one value')
  tensors = {}
  _flatten(stack.items[0], '', tensors, set())
  return Contents(tensors)
