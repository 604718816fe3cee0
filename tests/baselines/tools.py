"""Tiny trained baselines for tests, their random parameters and batches."""

import copy

import jax
import numpy as np
from flax import traverse_util

from flaxheads import experiments
from flaxheads.baselines.pix2pixhd import config as p
from flaxheads.baselines.pix2pixhd.networks import init_params
from flaxheads.baselines.x2face import config as x
from flaxheads.baselines.x2face.network import init_variables
from flaxheads.config import AugmentConfig, RhythmConfig
from flaxheads.config_parts import PairDataConfig
from flaxheads.training import parallel
from tests import tiny_game

RHYTHM = {
  'num_steps': 4,
  'batch_size': 2,
  'log_every': 1,
  'sample_every': 2,
  'checkpoint_every': 2,
}


def _common(**rhythm):
  return {
    'data': PairDataConfig(),
    'augment': AugmentConfig(colour=0.0),
    'training': RhythmConfig(**(RHYTHM | rhythm)),
  }


def make_x2face(**rhythm) -> x.X2FaceConfig:
  """The smallest X2Face; fields of its rhythm can be given."""
  return x.X2FaceConfig(
    model=x.X2FaceModelConfig(64, 4, 8, 'float32'),
    optimizer=x.MomentumConfig(learning_rate=0.05),
    **_common(**rhythm),
  )


def make_pix2pixhd(**rhythm) -> p.Pix2pixHDConfig:
  """The smallest Pix2pixHD; fields of its rhythm can be given."""
  return p.Pix2pixHDConfig(
    model=p.Pix2pixHDModelConfig(64, 4, 2, 1, 4, 2, 'float32'),
    optimizer=p.Pix2pixHDOptimizerConfig(
      generator_learning_rate=2e-3, discriminator_learning_rate=2e-3
    ),
    finetune=p.FewShotConfig(batch_size=2, min_steps=40, max_steps=40),
    **_common(**rhythm),
  )


X2FACE, PIX2PIXHD = make_x2face(), make_pix2pixhd()
MAKERS = {'x2face': make_x2face, 'pix2pixhd': make_pix2pixhd}


def make_variables(config, seed=0) -> dict:
  """Random variables with the right names and shapes; no variance is < 0."""
  init = {
    'x2face': init_variables,
    'pix2pixhd': init_params,
  }
  shapes = jax.eval_shape(
    lambda: init[config.kind](config.model, jax.random.key(0))
  )
  tree = traverse_util.flatten_dict(tiny_game.random_tree(shapes, seed))
  for path, leaf in tree.items():
    if path[-1] == 'var':
      tree[path] = 0.5 + np.abs(leaf)
  return traverse_util.unflatten_dict(tree)


def make_state(config, seed=0):
  """A training state at step 0 with random parameters."""
  variables = make_variables(config, seed)
  recipe = experiments.make_recipe(config)
  mesh = parallel.make_mesh(1)
  zeros = jax.tree.map(
    lambda leaf: np.zeros(leaf.shape, leaf.dtype),
    recipe.describe_state(1, mesh),
  )
  return zeros.replace(variables=variables)


class Runner:
  """A compiled step; runs from any state.

  Args:
    config: of a baseline.
    num_devices: to spread over.
    float64: counts so finely that gradients which are zero stay next to zero:
      float32 leaves of them rounding, as large as small true ones.
  """

  def __init__(self, config, num_devices: int, float64: bool = False):
    self._float64 = float64
    if float64:
      config = copy.deepcopy(config)
      config.model.dtype = 'float64'  # refused from a user
    self.config = config
    self._mesh = parallel.make_mesh(num_devices)
    with jax.enable_x64(float64):
      self._recipe = experiments.make_recipe(config)
      self._step = self._recipe.make_step(self._mesh)

  def __call__(self, batches, step=0):
    """The last state and the metrics of each step, on the host.

    Args:
      batches: a batch for each step.
      step: the number that the first one has.
    """
    metrics = []
    with jax.enable_x64(self._float64):
      state = make_state(self.config).replace(step=np.int32(step))
      if self._float64:
        state = tiny_game.as_float64(state)
      state = parallel.place(state, self._mesh, parallel.REPLICATED)
      for batch in batches:
        placed = parallel.place(batch, self._mesh, parallel.SHARDED)
        state, measured = self._step(state, placed, self._recipe.constants)
        metrics.append(jax.device_get(measured))
    return jax.device_get(state), metrics
