"""Reads weight files of other frameworks without executing anything.

torch and h5py are needed once, for the conversion, and are not among the
requirements: `pip install 'flaxheads[weights]'` brings them.
"""

import importlib
import os

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from flaxheads.errors import UserError
from flaxheads.weights import dlib_file, onnx_file, pickled_arrays
from flaxheads.weights.contents import Contents

MAX_FILE_BYTES = 2 << 30
MAX_TENSORS = 10_000


def _import(module: str, path: str):
  try:
    return importlib.import_module(module)
  except ImportError:
    raise UserError(
      f'{path}: reading it needs {module}, for this one conversion:'
      f' pip install {module}'
    ) from None


def _read_torch(path: str) -> Contents:
  torch = _import('torch', path)
  state = torch.load(path, map_location='cpu', weights_only=True)
  if not hasattr(state, 'items'):
    raise ValueError(f'a {type(state).__name__}, not tensors by name')
  tensors = {}
  for name, value in state.items():
    if not isinstance(value, torch.Tensor):
      raise ValueError(f'{str(name)[:50]} is no tensor; a state_dict is needed')
    # The parameters alone matter, not what a framework counts beside them.
    if value.is_floating_point():
      tensors[str(name)] = value.detach().float().numpy()
  return Contents(tensors)


def _read_safetensors(path: str) -> Contents:
  tensors = load_file(path)
  return Contents({k: v for k, v in tensors.items() if v.dtype.kind == 'f'})


def _read_keras(path: str) -> Contents:
  h5py = _import('h5py', path)
  tensors = {}

  def visit(name, item):
    if isinstance(item, h5py.Dataset) and item.dtype.kind == 'f':
      # Of a size that the file really has: neither external nor made up.
      if item.external or item.nbytes > os.path.getsize(path):
        raise ValueError(f'{name[:50]} is larger than the file')
      tensors[name] = item[()]

  with h5py.File(path, 'r') as file:
    file.visititems(visit)
  return Contents(tensors)


_READERS = {
  '.pth': _read_torch,
  '.pt': _read_torch,
  '.onnx': onnx_file.read,
  '.h5': _read_keras,
  '.ckpt': pickled_arrays.read,
  '.dat': dlib_file.read,
  '.safetensors': _read_safetensors,
}


def read(path: str) -> Contents:
  """Reads a weight file by its extension.

  Args:
    path: of a .pth or .pt (torch, a state_dict), .onnx, .h5 (Keras), .ckpt
      (numpy arrays), .dat (dlib) or .safetensors file.

  Returns:
    Contents, with float32 tensors.

  Raises:
    UserError: no such file, another kind of file, damaged, too large, or
      numbers that are not finite.
  """
  reader = _READERS.get(os.path.splitext(path)[1].lower())
  if reader is None:
    known = ', '.join(_READERS)
    raise UserError(f'{path}: not a weight file; one of {known} is needed')
  if not os.path.isfile(path):
    raise UserError(f'{path}: no such file; a weight file is needed')
  if os.path.getsize(path) > MAX_FILE_BYTES:
    raise UserError(f'{path}: larger than {MAX_FILE_BYTES >> 30} GiB')
  try:
    contents = reader(path)
  except UserError:
    raise
  # Each framework raises what it likes about a damaged file.
  except (SafetensorError, Exception) as error:
    lines = str(error).strip().split('\n')
    raise UserError(
      f'{path}: cannot be read as weights ({lines[0][:200]})'
    ) from None
  return contents._replace(tensors=_check(path, contents.tensors))


def _check(path, tensors):
  if not 0 < len(tensors) <= MAX_TENSORS:
    raise UserError(f'{path}: holds {len(tensors)} tensors; weights are needed')
  checked = {}
  for name, value in tensors.items():
    checked[name] = value = np.asarray(value, np.float32)
    if not np.isfinite(value).all():
      raise UserError(f'{path}: {name} holds numbers that are not finite')
  return checked
