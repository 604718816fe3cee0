"""Files of other frameworks: what was written is read, and nothing is run."""

import os
import pickle

import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.weights import foreign, protobuf
from tests.weights import onnx_writer as onnx

RNG = np.random.default_rng(0)


def _read(tmp_path, name, data):
  path = tmp_path / name
  path.write_bytes(data)
  return foreign.read(str(path))


def _refused(tmp_path, name, data) -> str:
  with pytest.raises(UserError) as caught:
    _read(tmp_path, name, data)
  assert '\n' not in str(caught.value)
  return str(caught.value)


@pytest.mark.parametrize('protocol', [2, 3])
def test_arrays_of_a_pickle(tmp_path, protocol):
  kernel = RNG.normal(size=(2, 3)).astype('<f4')
  bias = RNG.normal(size=300).astype('<f4')
  tree = {'a': {'b': kernel, 'c': {'d': bias}}, 'e': np.asfortranarray(kernel)}
  data = pickle.dumps(tree, protocol)
  if protocol == 2:  # holds its bytes as text to be encoded by a call
    assert 'would call' in _refused(tmp_path, 'x.ckpt', data)
    return
  found = _read(tmp_path, 'x.ckpt', data).tensors
  assert list(found) == ['a/b', 'a/c/d', 'e']
  np.testing.assert_array_equal(found['a/b'], kernel)
  np.testing.assert_array_equal(found['a/c/d'], bias)
  np.testing.assert_array_equal(found['e'], kernel)


class _Call:
  """Something whose unpickling calls a function."""

  def __init__(self, function, *arguments):
    self._reduced = function, arguments

  def __reduce__(self):
    return self._reduced


def test_a_pickle_is_not_run(tmp_path):
  seen = tmp_path / 'seen'
  for value in (
    _Call(os.mkdir, str(seen)),
    {'a': _Call(os.system, f'touch {seen}')},
    {'a': _Call(np.frombuffer, b'1234')},
  ):
    message = _refused(tmp_path, 'x.ckpt', pickle.dumps(value, 3))
    assert 'it would call' in message
  assert not seen.exists()
  shared = {}
  for value in (
    {'a': np.arange(3)},  # not float32
    {'a': np.array([{}])},
    {1: np.zeros(2, np.float32)},
    {'a': shared, 'b': shared},
    [np.zeros(2, np.float32)],
    {'a': 1.5},
  ):
    assert 'cannot be read' in _refused(
      tmp_path, 'x.ckpt', pickle.dumps(value, 3)
    )
  shared['a'] = shared
  _refused(tmp_path, 'x.ckpt', pickle.dumps(shared, 3))


def _dlib_integer(value: int) -> bytes:
  size = max(1, (value.bit_length() + 7) // 8)
  return bytes([size]) + value.to_bytes(size, 'little')


def _dlib_tensor(values) -> bytes:
  axes = (2, *values.shape, *[1] * (4 - values.ndim))  # the version first
  return b''.join(map(_dlib_integer, axes)) + values.astype('<f4').tobytes()


def _dlib_text(text: bytes) -> bytes:
  return _dlib_integer(len(text)) + text


def _dlib_network():
  kernel = RNG.normal(size=(300, 2, 1, 3)).astype('<f4')
  bias, scale, offset = RNG.normal(size=(3, 300)).astype('<f4')
  dense = RNG.normal(size=(300, 7)).astype('<f4')
  data = _dlib_text(b'loss_metric_2') + bytes(40)
  data += _dlib_text(b'con_4')
  data += _dlib_tensor(np.concatenate([kernel.ravel(), bias]))
  data += b''.join(map(_dlib_integer, (300, 1, 3, 1, 1, 0, 0)))
  data += _dlib_text(b'affine_')
  data += _dlib_tensor(np.concatenate([scale, offset]))
  data += _dlib_text(b'fc_2') + _dlib_integer(7) + _dlib_integer(300)
  data += _dlib_tensor(dense)
  return data, [kernel, bias, scale, offset, dense]


def test_layers_of_dlib(tmp_path):
  data, wanted = _dlib_network()
  found = _read(tmp_path, 'x.dat', data).tensors
  assert list(found) == [
    '0/weight', '0/bias', '1/weight', '1/bias', '2/weight'
  ]  # fmt: skip
  for ours, theirs in zip(found.values(), wanted, strict=True):
    np.testing.assert_array_equal(ours, theirs)
  for end in range(60, len(data), 397):
    # A file that breaks off between layers only lacks the later ones.
    try:
      cut = _read(tmp_path, 'x.dat', data[:end]).tensors
    except UserError:
      continue
    assert len(cut) < len(found)
  huge = _dlib_text(b'affine_') + b''.join(
    map(_dlib_integer, (2, 1 << 60, 1 << 60, 1 << 60, 1 << 60))
  )
  assert 'does not fit the file' in _refused(tmp_path, 'x.dat', huge)


@pytest.mark.parametrize('name', ['x.ckpt', 'x.dat', 'x.onnx'])
def test_damaged_bytes_are_one_line_or_other_numbers(tmp_path, name):
  tree = {'a': np.ones((2, 3), np.float32), 'b': np.ones(300, np.float32)}
  whole = {
    'x.ckpt': pickle.dumps(tree, 3),
    'x.dat': _dlib_network()[0],
    'x.onnx': _quantised(True)[0],
  }[name]
  refused = 0
  for _ in range(200):
    data = bytearray(whole)
    for at in RNG.integers(0, len(data), 3):
      data[at] = RNG.integers(256)
    data[at:at] = data[at : at + RNG.integers(20)]
    try:
      _read(tmp_path, name, bytes(data))
    except UserError as error:
      assert '\n' not in str(error)
      refused += 1
  assert refused > 50


def test_packed_integers_are_those_that_were_written():
  values = [0, 1, 127, 128, -1, 1 << 40, -(1 << 63), (1 << 63) - 1]
  data = b''.join(map(onnx.varint, values))
  assert protobuf.read_packed(memoryview(data)).tolist() == values
  assert not protobuf.read_packed(memoryview(b'')).size
  for wrong in (data[:-1], b'\x80' * 11 + b'\0'):
    with pytest.raises(ValueError, match='packed number'):
      protobuf.read_packed(memoryview(wrong))


def _quantised(packed):
  q = RNG.integers(-128, 128, (4, 10)).astype(np.int8)
  zero = RNG.integers(-128, 128, (4, 3)).astype(np.int8)
  scale = RNG.uniform(0.1, 1, (4, 3)).astype(np.float32)
  shape = np.array([2, 2, 5, 2])
  names = [['q', 's', 'z'], ['w', 'shape'], ['data', 'kernel']]
  nodes = [
    onnx.node('DequantizeLinear', names[0], 'w', axis=1, block_size=4),
    onnx.node('Reshape', names[1], 'kernel'),
    onnx.node('Conv', names[2], 'y', strides=[2, 2], epsilon=0.5),
  ]
  tensors = [
    onnx.tensor(name, value, packed)
    for name, value in zip('qsz', (q, scale, zero), strict=True)
  ]
  tensors.append(onnx.tensor('shape', shape, packed))
  blocks = np.arange(10) // 4
  wanted = (q.astype(float) - zero[:, blocks]) * scale[:, blocks]
  return onnx.model(nodes, tensors, ['data', 'q']), wanted.reshape(shape)


@pytest.mark.parametrize('packed', [False, True])
def test_a_quantised_graph(tmp_path, packed):
  data, wanted = _quantised(packed)
  found = _read(tmp_path, 'x.onnx', data)
  np.testing.assert_allclose(found.tensors['kernel'], wanted, rtol=1e-6)
  assert found.inputs == ('data',)
  (conv,) = found.nodes
  assert (conv.op, conv.inputs, conv.output) == (
    'Conv',
    ('data', 'kernel'),
    'y',
  )
  assert conv.attributes == {'strides': [2, 2], 'epsilon': 0.5}
  for end in range(0, len(data), 7):
    _refused(tmp_path, 'x.onnx', data[:end])


def test_hostile_graphs_are_refused(tmp_path):
  q = onnx.tensor('q', np.zeros((4, 10), np.int8))
  s = onnx.tensor('s', np.ones((4, 3), np.float32))
  z = onnx.tensor('z', np.zeros((4, 3), np.int8))
  for size in (0, 1 << 62, 3, -1):
    node = onnx.node('DequantizeLinear', 'qsz', 'w', axis=1, block_size=size)
    data = onnx.model([node], [q, s, z], [])
    assert 'do not fit' in _refused(tmp_path, 'x.onnx', data)
  elsewhere = onnx.tensor('t', np.ones(2, np.float32)) + onnx.field(14, 1)
  data = onnx.model([], [elsewhere], [])
  assert 'lies in another file' in _refused(tmp_path, 'x.onnx', data)
  shape = b''.join(onnx.field(1, 1 << 40) for _ in range(3))
  many = shape + onnx.field(2, 1) + onnx.field(8, 't') + onnx.field(9, b'1234')
  assert 'holds 1 numbers' in _refused(
    tmp_path, 'x.onnx', onnx.model([], [many], [])
  )
