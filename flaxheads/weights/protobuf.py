"""Reads protocol buffers' wire format, without a schema and without copies.

https://protobuf.dev/programming-guides/encoding. Every length is checked
against the bytes that are there.
"""

import struct
from collections.abc import Iterator

import numpy as np

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10


def _varint(data: memoryview, at: int) -> tuple[int, int]:
  value = 0
  for i in range(_MAX_VARINT_BYTES):
    if at + i >= len(data):
      raise ValueError('a number breaks off')
    byte = data[at + i]
    value |= (byte & 0x7F) << (7 * i)
    if byte < 0x80:
      return value, at + i + 1
  raise ValueError('a number has more than ten bytes')


def read_fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
  """Yields the fields of a message in the order of the file.

  Args:
    data: the bytes of one message.

  Yields:
    (field number, value): an unsigned int for a varint, else the bytes.

  Raises:
    ValueError: the bytes are no message.
  """
  at = 0
  while at < len(data):
    key, at = _varint(data, at)
    number, kind = key >> 3, key & 7
    if kind == _VARINT:
      value, at = _varint(data, at)
      yield number, value
      continue
    if kind == _BYTES:
      size, at = _varint(data, at)
    elif kind in (_FIXED64, _FIXED32):
      size = 8 if kind == _FIXED64 else 4
    else:
      raise ValueError(f'wire type {kind} is not used in these files')
    if size > len(data) - at:
      raise ValueError(f'a field of {size} bytes, of which some are missing')
    yield number, data[at : at + size]
    at += size


def to_signed(value: int) -> int:
  """An int32 or int64 field from its varint."""
  return value - (1 << 64) if value >> 63 else value


def to_float(value: memoryview) -> float:
  """A float field from its four bytes."""
  return struct.unpack('<f', value)[0]


def read_packed(data: memoryview) -> np.ndarray:
  """A packed field of integers, int64 [N]."""
  octets = np.frombuffer(data, np.uint8)
  if not octets.size:
    return np.zeros(0, np.int64)
  last = np.flatnonzero(octets < 0x80)
  if not last.size or last[-1] != octets.size - 1:
    raise ValueError('a packed number breaks off')
  first = np.concatenate([[0], last[:-1] + 1])
  lengths = last - first + 1
  if lengths.max() > _MAX_VARINT_BYTES:
    raise ValueError('a packed number has more than ten bytes')
  shift = 7 * (np.arange(octets.size) - np.repeat(first, lengths))
  parts = (octets & 0x7F).astype(np.uint64) << shift.astype(np.uint64)
  return np.add.reduceat(parts, first).view(np.int64)
