"""Pretrained networks as functions of frames in [0, 1], for any batch size."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.errors import UserError
from flaxheads.metrics.image import check_frames
from flaxheads.models import pretrained
from flaxheads.weights import store

# All calls run at this size, the last one filled up: one program is compiled,
# and a frame's result does not depend on its neighbours.
BATCH_SIZE = 16
# Marks of MetricNetwork.
UNVERIFIED, RANDOM = 'unverified weights', 'random weights'
PROXY = 'proxy weights'


class MetricNetwork(NamedTuple):
  """A pretrained network that is ready to measure.

  Attributes:
    name: of models.pretrained.
    warning: '' if the publisher's hash confirms the weights; else what
      to write beside every number made with them.
    apply: ([-1, 1] frames [BATCH_SIZE, H, W, 3], as many as the network
      takes) -> [BATCH_SIZE, ...].
    mark: what stands beside the name of every number made with it: '',
      'unverified weights', 'proxy weights' or 'random weights'.
    digest: stands for the weights where results are looked up.
  """

  name: str
  warning: str
  apply: Callable
  mark: str = ''
  digest: str = ''

  def __call__(self, *frames):
    """Runs on any number of frames.

    Args:
      *frames: float [F, H, W, 3], RGB in [0, 1]; LPIPS takes two of one shape.

    Returns:
      float32 [F, ...].

    Raises:
      UserError: frames of another shape or range.
    """
    frames = [np.asarray(x) for x in frames]
    for x in frames:
      check_frames('frames', x)
      if x.ndim != 4 or x.shape != frames[0].shape or not len(x):
        raise UserError(
          f'frames: shapes {[x.shape for x in frames]} given; one shape'
          ' [F, H, W, 3] is needed'
        )
    results = []
    for start in range(0, len(frames[0]), BATCH_SIZE):
      batch = [x[start : start + BATCH_SIZE] for x in frames]
      count = len(batch[0])
      batch = [_fill(x) * 2 - 1 for x in batch]
      results.append(np.asarray(self.apply(*batch))[:count])
    return np.concatenate(results)


def _fill(x):
  """Repeats the last frame up to BATCH_SIZE."""
  missing = BATCH_SIZE - len(x)
  x = np.concatenate([x, np.repeat(x[-1:], missing, 0)])
  return x.astype(np.float32)


def _make(name, params, convention, warning, mark, digest) -> MetricNetwork:
  network = pretrained.make_network(name, convention)
  apply = jax.jit(network.apply)
  variables = {'params': jax.tree.map(jnp.asarray, params)}
  return MetricNetwork(
    name, warning, lambda *frames: apply(variables, *frames), mark, digest
  )


def _digest(path) -> str:
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def load_network(name: str, path: str | None = None) -> MetricNetwork:
  """A network with the weights that launch.weights made.

  Args:
    name: of models.pretrained: inception, arcface_r50, lpips_alex, ...
    path: of a safetensors file; None: where launch.weights puts it.

  Returns:
    MetricNetwork.

  Raises:
    UserError: there is no such file (the message says what to run), or it is
      of another network, or damaged.
  """
  path = path or store.find(name)
  weights = store.load(path, name, like=pretrained.shapes_of(name))
  warning = mark = ''
  vouched = weights.metadata.get('verified_by')
  if vouched == store.TRAINED or name == store.PROXY:
    source = weights.metadata.get('source', 'data that it does not name')[:80]
    warning = (
      f'{name}: no network of any publisher, but a small one that was trained'
      f' on {source}; its cosines compare methods of this report alone, and'
      ' are no CSIM'
    )
    mark = PROXY
  elif vouched != store.PUBLISHER:
    digest = weights.metadata.get('sha256', 'of no known hash')[:64]
    warning = (
      f'{name}: no publisher has confirmed these weights, only the user'
      f' ({digest})'
    )
    mark = UNVERIFIED
  digest = _digest(path)
  return _make(name, weights.params, weights.convention, warning, mark, digest)


def random_network(name: str, seed: int = 0) -> MetricNetwork:
  """A network with random weights, to try an evaluation without any download.

  Its numbers are no FID, CSIM or LPIPS, and `warning` says so.

  Args:
    name: of models.pretrained.
    seed: of the weights.

  Returns:
    MetricNetwork.
  """
  return _make(
    name,
    random_params(name, seed),
    None,
    f'{name}: random weights; numbers made with them mean nothing outside of'
    ' this report',
    RANDOM,
    f'random {seed}',
  )


def random_params(name: str, seed: int = 0):
  """Weights that keep activations in bounds; nested dict of float32 arrays."""
  rng = np.random.default_rng(seed)

  def draw(path, leaf):
    kind = path[-1].key
    if kind == 'kernel':
      deviation = np.sqrt(2 / np.prod(leaf.shape[:-1]))
      return rng.standard_normal(leaf.shape, np.float32) * np.float32(deviation)
    if kind == 'bias':
      return np.zeros(leaf.shape, np.float32)
    # Scales of residual blocks are small, so that depth adds up to little;
    # slopes and the heads of LPIPS are any positive numbers.
    return rng.uniform(0.1, 0.4, leaf.shape).astype(np.float32)

  return jax.tree_util.tree_map_with_path(draw, pretrained.shapes_of(name))
