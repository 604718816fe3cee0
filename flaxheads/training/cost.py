"""What an experiment costs, without running it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from flaxheads import networks as nets
from flaxheads.config import Config
from flaxheads.data.batch import Batch
from flaxheads.errors import UserError
from flaxheads.landmarks.layout import NUM_POINTS
from flaxheads.training import parallel
from flaxheads.training.content_loss import shapes_of_content
from flaxheads.training.hbm_traffic import hbm_bytes
from flaxheads.training.state import describe_state
from flaxheads.training.step import make_train_step

NUM_VIDEOS = 145_569  # VoxCeleb2's training split
_EPOCHS = 75  # of the paper's training


def _count(tree) -> int:
  return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def _bytes_per_device(tree) -> int:
  return sum(
    int(np.prod(leaf.sharding.shard_shape(leaf.shape))) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(tree)
  )


def count_flops(traced, mesh: parallel.Mesh, compiled=None) -> float:
  """FLOPs of one run on each device, by XLA's count.

  It counts the body of a loop once, and gradients have loops on a CPU
  (models/convolution.py), where resampling takes other forms, too. There the
  form for accelerators is counted, as it is before XLA simplifies it, and
  nothing is compiled.

  Args:
    traced: from `trace` of a jitted function.
    mesh: whose devices it is for.
    compiled: the program, where it is there already.
  """
  if mesh.devices.flat[0].platform == 'cpu':
    counted = traced.lower(lowering_platforms=('tpu',))
  else:
    counted = compiled or traced.lower().compile()
  return (counted.cost_analysis() or {}).get('flops', 0.0)


def _trace(config: Config, mesh: parallel.Mesh):
  """The state, and the step traced for the mesh with both VGGs in it."""
  networks = nets.build_networks(config.model)
  state = describe_state(config, networks, NUM_VIDEOS, mesh)
  content = shapes_of_content(config)
  shape = (config.training.batch_size, config.data.num_support + 1)
  size = config.model.image_size
  batch = Batch(
    jax.ShapeDtypeStruct((*shape, size, size, 3), jnp.uint8),
    jax.ShapeDtypeStruct((*shape, NUM_POINTS, 2), jnp.float32),
    jax.ShapeDtypeStruct(shape[:1], jnp.int32),
  )
  step = make_train_step(config, networks, content, mesh)
  traced = step.trace(
    state,
    parallel.describe_placed(batch, mesh, parallel.SHARDED),
    parallel.describe_placed(content.params, mesh, parallel.REPLICATED),
  )
  logging.info('counting the step with both VGGs: minutes at 256²')
  return state, traced


def _check_kind(config):
  if not isinstance(config, Config):
    raise UserError(
      f'--config: of {config.kind}; only the cost of the model is counted'
    )


def peak_memory(compiled) -> int:
  """Bytes that a compiled program needs on each device, as XLA plans them.

  Arguments, results and temporary memory.
  """
  memory = compiled.memory_analysis()
  return (
    memory.argument_size_in_bytes
    + memory.output_size_in_bytes
    + memory.temp_size_in_bytes
    - memory.alias_size_in_bytes
  )


def describe(config: Config) -> dict:
  """Counts parameters, arithmetic and memory of an experiment.

  Both VGGs are always counted.

  Args:
    config: the experiment.

  Returns:
    {'parameters': {network: count}, 'flops_per_sample': of the step at one
    sample, 'state_bytes_per_device': with the W of VoxCeleb2's 145,569 videos,
    over the devices there are}.

  Raises:
    UserError: the experiment is a baseline's.
  """
  _check_kind(config)
  training = dataclasses.replace(
    config.training, batch_size=1, accumulation_steps=1
  )
  mesh = parallel.make_mesh(1)
  state, traced = _trace(dataclasses.replace(config, training=training), mesh)
  networks = nets.build_networks(config.model)
  spread = describe_state(config, networks, NUM_VIDEOS, parallel.make_mesh())
  return {
    'parameters': {
      name: _count(tree) for name, tree in sorted(state.params.items())
    },
    'flops_per_sample': int(count_flops(traced, mesh)),
    'state_bytes_per_device': _bytes_per_device(spread),
  }


def describe_on(config: Config, mesh: parallel.Mesh) -> dict:
  """Compiles the step of an experiment for devices that need not be there.

  Args:
    config: the experiment; its batch is split over the mesh.
    mesh: say from `parallel.make_topology_mesh`.

  Returns:
    Figures for each device: FLOPs, bytes accessed and peak memory of a step;
    and, where the chip is known, those of the bytes that lie in its main
    memory, the least time that a step and 75 epochs of VoxCeleb2 can take,
    which limit sets it ('flops' or 'bytes'), and the share of memory that is
    left.

  Raises:
    UserError: batch or table do not split over the mesh, or the experiment
      is a baseline's.
  """
  _check_kind(config)
  state, traced = _trace(config, mesh)
  compiled = traced.lower().compile()
  peak = peak_memory(compiled)
  figures = {
    'num_devices': parallel.num_devices(mesh),
    'samples_per_device': (
      config.training.batch_size / parallel.num_devices(mesh)
    ),
    'flops': count_flops(traced, mesh, compiled),
    'bytes_accessed': compiled.cost_analysis()['bytes accessed'],
    'peak_memory_bytes': peak,
    'state_bytes': _bytes_per_device(state),
  }
  chip = parallel.chip(mesh)
  if chip is None:
    return figures
  times = {
    'flops': figures['flops'] / chip.flops,
    'bytes': figures['bytes_accessed'] / chip.bandwidth,
  }
  limit = max(times, key=times.get)
  steps = _EPOCHS * NUM_VIDEOS / config.training.batch_size
  return figures | {
    'hbm_bytes': hbm_bytes(compiled.as_text()),
    'limit': limit,
    'least_step_seconds': times[limit],
    'least_hours_of_75_epochs': steps * times[limit] / 3600,
    'memory_left': 1 - peak / chip.memory,
  }
