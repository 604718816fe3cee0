"""Writes small ONNX files, by onnx.proto3's numbers; independent of onnx."""

import numpy as np


def varint(value: int) -> bytes:
  """An integer, seven bits a byte, the lowest first."""
  value %= 1 << 64
  out = bytearray()
  while value > 0x7F:
    out.append(0x80 | value & 0x7F)
    value >>= 7
  return bytes([*out, value])


def field(number: int, value) -> bytes:
  """A field: an int as a varint, a float in four bytes, else by its length."""
  if isinstance(value, int):
    return varint(number << 3) + varint(value)
  if isinstance(value, float):
    return varint(number << 3 | 5) + np.float32(value).tobytes()
  if isinstance(value, str):
    value = value.encode()
  return varint(number << 3 | 2) + varint(len(value)) + value


def tensor(name: str, values: np.ndarray, packed=False) -> bytes:
  """TensorProto: its numbers as raw bytes, or packed by their kind."""
  kinds = {'float32': 1, 'int8': 3, 'int64': 7}
  out = b''.join(field(1, size) for size in values.shape)
  out += field(2, kinds[values.dtype.name]) + field(8, name)
  if not packed:
    return out + field(9, values.tobytes())
  if values.dtype == np.float32:
    return out + field(4, values.tobytes())
  numbers = b''.join(varint(int(value)) for value in values.ravel())
  return out + field(7 if values.dtype == np.int64 else 5, numbers)


def node(op: str, inputs, output: str, **attributes) -> bytes:
  """NodeProto with int, float and list of int attributes."""
  out = b''.join(field(1, name) for name in inputs)
  out += field(2, output) + field(4, op)
  for name, value in attributes.items():
    if isinstance(value, list):
      coded = b''.join(field(8, item) for item in value)
    else:
      coded = field(2 if isinstance(value, float) else 3, value)
    out += field(5, field(1, name) + coded)
  return out


def model(nodes, tensors, inputs) -> bytes:
  """ModelProto of one graph."""
  graph = b''.join(field(1, item) for item in nodes)
  graph += b''.join(field(5, item) for item in tensors)
  graph += b''.join(field(11, field(1, name)) for name in inputs)
  return field(1, 8) + field(7, graph)
