"""Maps parameters between ours and the reference implementation."""

import numpy as np
import torch
from flax import traverse_util

from flaxheads.config import ModelConfig
from flaxheads.models import sizes
from tests.benchmark.reference import networks

_LAYERS = {'Conv_0': 'first', 'Conv_1': 'second', 'skip': 'skip'}
_WEIGHT = 'parametrizations.weight.original'
_VECTOR = 'parametrizations.weight.0.u'


def _trunk_modules(config: ModelConfig):
  """Pairs (path of ours, name of the reference's) of modules of a trunk."""
  down = sizes.down_sizes(config.image_size, sizes.FINAL_SIZE)
  for index, size in enumerate(down):
    yield ('trunk', f'ResidualBlock_{index}'), f'trunk.blocks.{index}.0'
    if size == sizes.attention_down_size(config.image_size):
      yield ('trunk', 'SelfAttention_0'), f'trunk.blocks.{index}.1'


def _generator_modules(config: ModelConfig):
  down = sizes.down_sizes(config.image_size, config.bottleneck_size)
  for index, size in enumerate(down):
    yield (f'ResidualBlock_{index}',), f'downs.{index}.0'
    # Each block was handed two norms; the first one uses its second alone.
    for norm in (0, 1) if index else (1,):
      name = f'downs.{index}.0.norms.{norm if index else 0}'
      yield (f'InstanceNorm_{2 * index + norm}',), name
    if size == sizes.attention_down_size(config.image_size):
      yield ('SelfAttention_0',), f'downs.{index}.1'
  up = sizes.up_sizes(config.image_size, config.bottleneck_size)
  last = len(down) + config.num_residual_blocks
  for index in range(config.num_residual_blocks):
    yield (f'ResidualBlock_{len(down) + index}',), f'residual.{index}'
  at = sizes.attention_up_size(config.image_size, config.bottleneck_size)
  for index in range(len(up)):
    yield (f'ResidualBlock_{last + index}',), f'ups.{index}'
  yield ('SelfAttention_1',), f'attention.{up.index(at)}'
  yield ('projection',), 'projection'
  yield ('to_rgb',), 'to_rgb'


def _modules(name: str, config: ModelConfig):
  if name == 'generator':
    return list(_generator_modules(config))
  modules = list(_trunk_modules(config))
  if name == 'discriminator':
    modules += [(('ResidualBlock_0',), 'last'), ((), '')]
  return modules


def _torch_name(path, modules) -> str:
  """The reference's name of one of our parameters or vectors."""
  *_, (ours, theirs) = sorted(
    (pair for pair in modules if path[: len(pair[0])] == pair[0]),
    key=lambda pair: len(pair[0]),
  )
  *layers, leaf = path[len(ours) :]
  layers = [_LAYERS.get(layer, layer) for layer in layers]
  leaf = {
    'kernel': _WEIGHT,
    'u': _VECTOR,
    'matrix': 'weight',
    'scale': 'weight',
    'shift': 'bias',
  }.get(leaf, leaf)
  return '.'.join(part for part in (theirs, *layers, leaf) if part)


def _to_torch(leaf, name):
  array = np.array(leaf)
  if name == 'kernel':  # HWIO -> OIHW
    array = array.transpose(3, 2, 0, 1)
  elif name == 'matrix':
    array = array.T
  return torch.from_numpy(np.ascontiguousarray(array))


def _from_torch(tensor, name):
  array = tensor.detach().cpu().numpy()
  if name == 'kernel':
    return array.transpose(2, 3, 1, 0)
  return array.T if name == 'matrix' else array


def _named(name, config, tree):
  modules = _modules(name, config)
  for path, leaf in traverse_util.flatten_dict(tree).items():
    yield path, leaf, _torch_name(path, modules)


def copy_in(network, name: str, config: ModelConfig, params, vectors=None):
  """Gives the reference's network our parameters.

  Args:
    network: of the reference.
    name: 'embedder', 'generator' or 'discriminator'.
    config: sizes of both.
    params: our tree of that network.
    vectors: our vectors of spectral normalisation, or None.

  Returns:
    The network.

  Raises:
    RuntimeError: either side has a tensor that the other lacks.
  """
  state = {
    theirs: _to_torch(leaf, path[-1])
    for tree in (params, vectors or {})
    for path, leaf, theirs in _named(name, config, tree)
  }
  wanted = {
    key
    for key in network.state_dict()
    if vectors is not None or not key.endswith('.u')
  }
  if wanted != set(state):
    raise RuntimeError(f'{name}: {sorted(wanted ^ set(state))} do not pair')
  network.to(next(iter(state.values())).dtype)
  network.load_state_dict(state, strict=False)
  return network


def gradients(network, name: str, config: ModelConfig, like) -> dict:
  """The reference's gradients as a tree like ours, NumPy; zero if it has none.

  Args:
    network: of the reference, after its backward pass.
    name: as in `copy_in`.
    config: sizes.
    like: our parameters.
  """
  given = dict(network.named_parameters())
  tree = {
    path: (
      np.zeros(np.shape(leaf), np.float32)
      if given[theirs].grad is None
      else _from_torch(given[theirs].grad, path[-1])
    )
    for path, leaf, theirs in _named(name, config, like)
  }
  return traverse_util.unflatten_dict(tree)


def values(network, name: str, config: ModelConfig, like) -> dict:
  """The reference's parameters as a tree like ours, NumPy."""
  given = dict(network.named_parameters())
  tree = {
    path: _from_torch(given[theirs], path[-1])
    for path, _, theirs in _named(name, config, like)
  }
  return traverse_util.unflatten_dict(tree)


def build(name: str, config: ModelConfig, params, vectors=None):
  """A network of the reference with our parameters; see `copy_in`."""
  classes = {
    'embedder': networks.Embedder,
    'generator': networks.Generator,
    'discriminator': networks.Discriminator,
  }
  network = classes[name](config)
  return copy_in(network, name, config, params, vectors)


def build_vgg(depths, convention, params) -> networks.VGG:
  """A VGG with our parameters, as a constant."""
  network = networks.VGG(depths, convention)
  state = {}
  for path, leaf in traverse_util.flatten_dict(params).items():
    layer, kind = path
    block, index = (int(n) - 1 for n in layer.removeprefix('conv').split('_'))
    kind = {'kernel': 'weight', 'bias': 'bias'}[kind]
    state[f'blocks.{block}.{index}.{kind}'] = _to_torch(leaf, path[-1])
  network.to(next(iter(state.values())).dtype)
  state |= dict(network.named_buffers())  # the convention's
  network.load_state_dict(state)
  return network.requires_grad_(False)
