"""Trees of arrays on disk: exact, whole or not at all, and never a pickle."""

import pickle

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.weights import tensors


def _tree():
  rng = np.random.default_rng(0)
  return {
    'block': {
      'kernel': rng.normal(size=(3, 3, 2, 4)).astype(np.float32),
      'bias': rng.normal(size=4).astype(np.float32),
    },
    'gate': np.float32(0.25),
    'frame': rng.integers(0, 256, (4, 4, 3), dtype=np.uint8),
  }


@pytest.fixture
def path(tmp_path):
  path = tmp_path / 'weights.safetensors'
  tensors.save_tree(str(path), _tree())
  return path


def _equal(first, second):
  assert set(first) == set(second)
  for name, value in first.items():
    if isinstance(value, dict):
      _equal(value, second[name])
    else:
      np.testing.assert_array_equal(value, second[name])
      assert value.dtype == second[name].dtype


def test_round_trip(path):
  _equal(tensors.load_tree(str(path), like=_tree()), _tree())
  assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize('dtype', [np.float16, ml_dtypes.bfloat16])
def test_other_precisions_become_float32(tmp_path, dtype):
  path = str(tmp_path / 'half.safetensors')
  values = jnp.asarray([1.5, -0.25, 1024.0], dtype)
  tensors.save_tree(path, {'x': values})
  loaded = tensors.load_tree(path)['x']
  assert loaded.dtype == np.float32
  np.testing.assert_array_equal(loaded, [1.5, -0.25, 1024])


@pytest.mark.parametrize(
  'change, message',
  [
    (lambda t: t.pop('gate'), 'gate is not expected'),
    (lambda t: t.update(more=np.zeros(1)), 'more is missing'),
    (
      lambda t: t['block'].update(bias=np.zeros(5)),
      r'block/bias has shape \(4,\), not \(5,\)',
    ),
  ],
)
def test_other_names_and_shapes_are_refused(path, change, message):
  like = _tree()
  change(like)
  with pytest.raises(UserError, match=message):
    tensors.load_tree(str(path), like=like)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path, value):
  path = str(tmp_path / 'broken.safetensors')
  tensors.save_tree(path, {'x': np.array([0, value], np.float32)})
  with pytest.raises(UserError, match='x holds numbers that are not finite'):
    tensors.load_tree(path)


class _Bomb:
  def __reduce__(self):
    raise AssertionError('a pickle was opened')


@pytest.mark.parametrize(
  'data',
  [
    b'',
    b'\x00' * 7,
    b'\xff' * 64,  # a header of 2^64 - 1 bytes
    b'\x08\x00\x00\x00\x00\x00\x00\x00not json',
    pickle.dumps({'x': [1, 2, 3]}),
    b'PK\x03\x04 a zip, as torch.save writes',
  ],
)
def test_other_files_are_refused(tmp_path, data):
  path = tmp_path / 'weights.safetensors'
  path.write_bytes(data)
  with pytest.raises(UserError, match='not a whole safetensors') as caught:
    tensors.load_tree(str(path))
  assert str(path) in str(caught.value)
  assert '\n' not in str(caught.value)


def test_a_file_cut_short_is_refused(path):
  data = path.read_bytes()
  path.write_bytes(data[:-10])
  with pytest.raises(UserError, match='not a whole safetensors'):
    tensors.load_tree(str(path))


def test_a_missing_file_and_a_folder_are_named(tmp_path):
  for path in (tmp_path / 'absent.safetensors', tmp_path):
    with pytest.raises(UserError, match=f'{path}: no such file'):
      tensors.load_tree(str(path))


def test_a_file_too_large_is_refused_unread(path, monkeypatch):
  monkeypatch.setattr(tensors, 'MAX_FILE_BYTES', 100)
  with pytest.raises(UserError, match='larger than'):
    tensors.load_tree(str(path))


def test_a_failed_save_leaves_the_old_file_and_no_other(path, monkeypatch):
  def fail(*args, **kwargs):
    raise OSError('no space')

  monkeypatch.setattr(tensors, '_save_file', fail)
  with pytest.raises(OSError, match='no space'):
    tensors.save_tree(str(path), {'x': np.zeros(3)})
  monkeypatch.undo()
  assert [file.name for file in path.parent.iterdir()] == [path.name]
  _equal(tensors.load_tree(str(path)), _tree())
