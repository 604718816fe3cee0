"""Hostile and odd files of torch, ONNX and Keras: read as data, or refused."""

import pathlib

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason='PyTorch parity: make parity')

from flaxheads.errors import UserError  # noqa: E402
from flaxheads.weights import foreign  # noqa: E402


def _refuse(path, message):
  with pytest.raises(UserError, match=message) as caught:
    foreign.read(str(path))
  assert str(path) in str(caught.value)
  assert '\n' not in str(caught.value)


class _Bomb:
  """Makes a file when it is unpickled."""

  def __init__(self, path):
    self.path = path

  def __reduce__(self):
    return pathlib.Path.touch, (self.path,)


@pytest.mark.parametrize('zipped', [True, False])
def test_torch_files(tmp_path, zipped):
  path = tmp_path / 'x.pth'

  def save(value):
    torch.save(value, path, _use_new_zipfile_serialization=zipped)

  save({'a': torch.ones(2, 3, dtype=torch.float16), 'steps': torch.tensor(7)})
  tensors = foreign.read(str(path)).tensors
  assert set(tensors) == {'a'}  # counters are no weights
  assert tensors['a'].dtype == np.float32
  save({'a': _Bomb(tmp_path / 'made')})
  _refuse(path, 'cannot be read as weights')
  assert not (tmp_path / 'made').exists()
  save({'state_dict': {'a': torch.ones(2)}, 'epoch': 3})
  _refuse(path, 'state_dict is no tensor; a state_dict is needed')
  save([torch.ones(2)])
  _refuse(path, 'a list, not tensors by name')
  save({'a': torch.tensor([float('nan')])})
  _refuse(path, 'a holds numbers that are not finite')
  path.write_bytes(path.read_bytes()[:-20])
  _refuse(path, 'cannot be read as weights')


def test_onnx_files_name_no_other_files(tmp_path):
  onnx = pytest.importorskip('onnx', reason='make parity')
  (tmp_path / 'secret').write_bytes(np.ones(4, np.float32).tobytes())
  inside = onnx.numpy_helper.from_array(np.ones(2, np.float32), 'inside')
  outside = onnx.TensorProto(name='outside', data_type=1, dims=[4])
  outside.data_location = onnx.TensorProto.EXTERNAL
  outside.external_data.add(key='location', value='secret')
  path = tmp_path / 'x.onnx'

  def save(*tensors):
    graph = onnx.helper.make_graph([], 'g', [], [], tensors)
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())

  save(inside)
  assert set(foreign.read(str(path)).tensors) == {'inside'}
  save(inside, outside)
  _refuse(path, 'outside lies in another file')
  path.write_bytes(b'\xff' * 100)
  _refuse(path, 'cannot be read as weights')


def test_keras_files_hold_what_they_say(tmp_path):
  h5py = pytest.importorskip('h5py', reason='make parity')
  path = tmp_path / 'x.h5'
  with h5py.File(path, 'w') as file:
    file['a/kernel'] = np.ones((3, 2))
    file['a/link'] = h5py.ExternalLink('other.h5', '/x')
  assert set(foreign.read(str(path)).tensors) == {'a/kernel'}
  with h5py.File(path, 'w') as file:  # a terabyte of fill values
    file.create_dataset('a', (1 << 38,), np.float32, chunks=(1 << 20,))
  _refuse(path, 'a is larger than the file')
  (tmp_path / 'secret').write_bytes(bytes(64))
  with h5py.File(path, 'w') as file:
    outside = [(str(tmp_path / 'secret'), 0, 64)]
    file.create_dataset('a', (16,), np.float32, external=outside)
  _refuse(path, 'a is larger than the file')
  path.write_bytes(b'\x89HDF\r\n\x1a\n torn')
  _refuse(path, 'cannot be read as weights')
