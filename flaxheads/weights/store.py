"""Converted weights: their place, reading and writing."""

import os
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from flaxheads.errors import UserError
from flaxheads.weights import convention, tensors
from flaxheads.weights.convention import Convention

FOLDER_VARIABLE = 'FLAXHEADS_WEIGHTS'
# Who confirmed the bytes: the hash that their publisher gives, or the user; or
# they were trained here, as a proxy for published weights.
PUBLISHER, USER, TRAINED = 'publisher', 'user', 'trained'
PROXY = 'iresnet_small'  # the network that no publisher has weights of
# In place of a file's path: zeros, for a program whose cost alone is wanted.
ZEROS = '(zeros)'
_PLAIN = Convention('RGB', 0.0, 1.0, (0.0,) * 3, (1.0,) * 3)


class Weights(NamedTuple):
  """Parameters of a pretrained network and what they are.

  Attributes:
    params: the parameter tree, float32.
    convention: what the network wants to see with them.
    metadata: of the file: network, source, sha256, verified_by, licence,
      convention.
  """

  params: dict
  convention: Convention
  metadata: dict[str, str]


def default_path(name: str) -> Path:
  """Where weights of this name lie unless a user says otherwise.

  $FLAXHEADS_WEIGHTS/NAME.safetensors, or in ~/.cache/flaxheads/weights.
  """
  folder = os.environ.get(FOLDER_VARIABLE)
  if not folder:
    cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    folder = f'{cache}/flaxheads/weights'
  return Path(folder).expanduser() / f'{name}.safetensors'


def save(path, network: str, params, to_see: Convention, **others: str) -> dict:
  """Writes weights; the file appears whole or not at all.

  Args:
    path: of the safetensors file; its folder is made if missing.
    network: its name in models.pretrained.
    params: the parameter tree.
    to_see: the input convention.
    **others: source, sha256, verified_by, licence.

  Returns:
    The metadata that were written.

  Raises:
    UserError: the folder or file cannot be written.
  """
  path = Path(path)
  metadata = {'network': network, 'convention': to_see.to_json(), **others}
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors.save_tree(str(path), params, metadata)
  except OSError as error:
    raise UserError(
      f'{path}: cannot be written ({error.strerror or error}); name a file in'
      ' a folder that you may write to'
    ) from None
  return metadata


def load(path, network: str, like) -> Weights:
  """Reads weights that `save` wrote.

  Args:
    path: of the safetensors file, or ZEROS.
    network: that they must be of.
    like: tree of the network's shapes.

  Returns:
    Weights.

  Raises:
    UserError: no such file, of another network, without an input convention,
      or damaged.
  """
  path = str(path)
  if path == ZEROS:
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), like)
    return Weights(zeros, _PLAIN, {})
  if not os.path.isfile(path):
    raise UserError(
      f'{path}: no such file; python -m launch.weights --fetch={network}'
      f' --output={path} makes it'
    )
  metadata = tensors.read_metadata(path)
  found = metadata.get('network')
  if found not in (None, network):
    raise UserError(f'{path}: weights of {found[:50]!r}; {network} is needed')
  to_see = convention.from_json(path, metadata.get('convention'))
  return Weights(tensors.load_tree(path, like=like), to_see, metadata)


def find(name: str) -> Path:
  """The file of weights fetched or converted before.

  Raises:
    UserError: there is none; the message says what to run.
  """
  path = default_path(name)
  if not path.is_file():
    raise UserError(
      f'{name}: no weights at {path}; run python -m launch.weights'
      f' --fetch={name}, or --convert=FILE --as={name} with a file you have'
    )
  return path
