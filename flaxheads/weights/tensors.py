"""Trees of arrays to safetensors files and back. No pickle anywhere."""

import os
import tempfile

import jax
import ml_dtypes
import numpy as np
from flax import traverse_util
from safetensors import SafetensorError, safe_open
from safetensors.flax import save_file as _save_file
from safetensors.numpy import load_file as _load_file

from flaxheads.errors import UserError

MAX_FILE_BYTES = 4 << 30


def save_tree(path: str, tree, metadata: dict[str, str] | None = None) -> None:
  """Writes a tree of arrays; the file appears whole or not at all.

  Args:
    path: of the safetensors file.
    tree: nested dict of arrays.
    metadata: strings kept in the file's header.
  """
  flat = traverse_util.flatten_dict(tree, sep='/')
  flat = {name: jax.numpy.asarray(value) for name, value in flat.items()}
  folder = os.path.dirname(os.path.abspath(path))
  handle, temporary = tempfile.mkstemp(dir=folder, suffix='.part')
  os.close(handle)
  try:
    _save_file(flat, temporary, metadata=metadata)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
  except BaseException:
    os.unlink(temporary)
    raise


def _open(path, read):
  """What `read` gives; UserError where the file is missing or damaged."""
  if not os.path.isfile(path):
    raise UserError(f'{path}: no such file; a safetensors file is needed')
  if os.path.getsize(path) > MAX_FILE_BYTES:
    raise UserError(f'{path}: larger than {MAX_FILE_BYTES >> 30} GiB')
  try:
    return read()
  except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
    reason = str(error).split('\n')[0]
    raise UserError(
      f'{path}: not a whole safetensors file ({reason})'
    ) from None


def read_metadata(path: str) -> dict[str, str]:
  """The strings in a file's header, as `save_tree` was given them.

  Raises:
    UserError: no such file, not safetensors, or too large.
  """

  def read():
    with safe_open(path, 'numpy') as file:
      return dict(file.metadata() or {})

  return _open(path, read)


def load_tree(path: str, like=None, dtype=np.float32):
  """Reads a tree of arrays.

  Args:
    path: of a safetensors file.
    like: a tree of the same structure whose leaves have `.shape`; None: any.
    dtype: what floating-point tensors become.

  Returns:
    Nested dict of numpy arrays.

  Raises:
    UserError: no such file, not safetensors, too large, other names or shapes
      than `like`, or numbers that are not finite.
  """
  # Through NumPy: JAX would compile a program for every shape.
  flat = _open(path, lambda: _load_file(path))
  for name, value in flat.items():
    if value.dtype == ml_dtypes.bfloat16 or value.dtype.kind == 'f':
      flat[name] = value = value.astype(dtype)
      if not np.isfinite(value).all():
        raise UserError(f'{path}: {name} holds numbers that are not finite')
  try:
    tree = traverse_util.unflatten_dict(flat, sep='/')
  except (TypeError, ValueError):
    raise UserError(f'{path}: a tensor has the name of a group') from None
  if like is not None:
    check_like(path, tree, like)
  return tree


def check_like(path: str, tree, like) -> None:
  """Raises UserError unless `tree` has the names and shapes of `like`."""
  flat = traverse_util.flatten_dict(tree, sep='/')
  wanted = traverse_util.flatten_dict(like, sep='/')
  for name in sorted(set(wanted) ^ set(flat)):
    state = 'is missing' if name in wanted else 'is not expected'
    raise UserError(f'{path}: tensor {name} {state}')
  for name, value in flat.items():
    if tuple(value.shape) != tuple(wanted[name].shape):
      raise UserError(
        f'{path}: tensor {name} has shape {tuple(value.shape)}, '
        f'not {tuple(wanted[name].shape)}'
      )
