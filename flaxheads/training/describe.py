"""What an experiment costs, without running it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.config import Config
from flaxheads.data.pipeline import Batch
from flaxheads.landmarks.layout import NUM_POINTS
from flaxheads.training import networks as nets
from flaxheads.training import parallel
from flaxheads.training.content import random_content
from flaxheads.training.state import init_state
from flaxheads.training.step import make_train_step

_NUM_VIDEOS = 145_569  # VoxCeleb2's training split


def _count(tree) -> int:
  return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def _bytes(tree) -> int:
  return sum(
    int(np.prod(leaf.shape)) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(tree)
  )


def describe(config: Config) -> dict:
  """Counts parameters, arithmetic and memory of an experiment.

  Both VGGs are always counted, with random weights.

  Args:
    config: the experiment.

  Returns:
    {'parameters': {network: count}, 'flops_per_sample': of the compiled step
    at one sample, 'state_bytes_per_device': with the W of VoxCeleb2's 145,569
    videos}.
  """
  config = dataclasses.replace(
    config, training=dataclasses.replace(config.training, batch_size=1)
  )
  networks = nets.build_networks(config.model)
  state = jax.eval_shape(lambda: init_state(config, networks, _NUM_VIDEOS))
  mesh = parallel.make_mesh(1)
  content = random_content(config, jax.random.key(0))
  frames, size = config.data.num_support + 1, config.model.image_size
  batch = Batch(
    jax.ShapeDtypeStruct((1, frames, size, size, 3), jnp.uint8),
    jax.ShapeDtypeStruct((1, frames, NUM_POINTS, 2), jnp.float32),
    jax.ShapeDtypeStruct((1,), jnp.int32),
  )
  step = make_train_step(config, networks, content, mesh)
  compiled = step.lower(state, batch, content.params).compile()
  return {
    'parameters': {
      name: _count(tree) for name, tree in sorted(state.params.items())
    },
    'flops_per_sample': int(compiled.cost_analysis()['flops']),
    'state_bytes_per_device': _bytes(state),
  }
