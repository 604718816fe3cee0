"""Reads the weights of a network that dlib has serialised, without dlib.

dlib writes a network from its input to its output. A layer begins with its
name ('con_4', 'affine_' or 'fc_2'), and its parameters follow as one tensor:
dlib/serialize.h for integers and texts, dlib/cuda/tensor.h for tensors,
dlib/dnn/layers.h for what a layer's tensor holds. All between one layer's
parameters and the next name are settings and empty gradients.
"""

import re

import numpy as np

from flaxheads.weights.contents import Contents

_MAX_LAYERS = 1000
_NAME = re.compile(rb'\x01(?:\x05con_4|\x07affine_|\x04fc_2)')


class _Reader:
  """Integers and tensors from a position of the file on."""

  def __init__(self, data: bytes, at: int):
    self._data = data
    self.at = at

  def integer(self) -> int:
    """A sign and a length in one byte, then that many bytes."""
    head = self._data[self.at]
    size = head & 0x0F
    if not 0 < size <= 8 or head & 0x70:
      raise ValueError(f'no number at byte {self.at}')
    digits = self._data[self.at + 1 : self.at + 1 + size]
    self.at += 1 + size
    value = int.from_bytes(digits, 'little')
    return -value if head & 0x80 else value

  def tensor(self) -> np.ndarray:
    """Version 2 of a tensor: four axes and float32 numbers."""
    if self.integer() != 2:
      raise ValueError(f'a tensor at byte {self.at} is not of version 2')
    shape = [self.integer() for _ in range(4)]
    # Python's integers: no product of theirs can overflow.
    count = shape[0] * shape[1] * shape[2] * shape[3]
    if min(shape) < 1 or 4 * count > len(self._data) - self.at:
      raise ValueError(f'a tensor of shape {shape} does not fit the file')
    values = np.frombuffer(self._data, '<f4', count, self.at)
    self.at += 4 * count
    return values.reshape(shape)


def _convolution(reader: _Reader) -> dict[str, np.ndarray]:
  values = reader.tensor().reshape(-1)
  out, height, width = (reader.integer() for _ in range(3))
  if min(out, height, width) < 1 or (values.size - out) % (
    out * height * width
  ):
    raise ValueError(f'a convolution of {values.size} numbers')
  kernel = values[:-out].reshape(out, -1, height, width)
  return {'weight': kernel, 'bias': values[-out:]}


def _affine(reader: _Reader) -> dict[str, np.ndarray]:
  values = reader.tensor().reshape(-1)
  if values.size % 2:
    raise ValueError(f'an affine layer of {values.size} numbers')
  weight, bias = np.split(values, 2)
  return {'weight': weight, 'bias': bias}


def _dense(reader: _Reader) -> dict[str, np.ndarray]:
  out, into = reader.integer(), reader.integer()
  values = reader.tensor()
  if values.size != into * out:
    raise ValueError(f'a dense layer of {values.size} numbers, with a bias?')
  return {'weight': values.reshape(into, out)}


_LAYERS = {b'con_4': _convolution, b'affine_': _affine, b'fc_2': _dense}


def read(path: str) -> Contents:
  """Reads the layers that have parameters.

  Args:
    path: of the .dat file.

  Returns:
    Contents; names are '0/weight', '0/bias', '1/weight', ... from the input
    on. Kernels are [O, I, H, W], dense weights [I, O].

  Raises:
    ValueError: damaged, or of another version of dlib's format.
  """
  with open(path, 'rb') as file:
    data = file.read()
  tensors, at = {}, 0
  for number in range(_MAX_LAYERS):
    found = _NAME.search(data, at)
    if not found:
      return Contents(tensors)
    reader = _Reader(data, found.end())
    try:
      parts = _LAYERS[found.group()[2:]](reader)
    except IndexError:
      raise ValueError('the file breaks off') from None
    tensors |= {f'{number}/{part}': value for part, value in parts.items()}
    at = reader.at
  raise ValueError(f'more than {_MAX_LAYERS} layers')
