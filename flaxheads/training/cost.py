"""What an experiment costs, without running it."""

import dataclasses
import re
import time

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from flaxheads import networks as nets
from flaxheads.bilayer_config import BilayerConfig
from flaxheads.config import Config
from flaxheads.data.batch import Batch
from flaxheads.data.mesh_pairs import NUM_VERTICES
from flaxheads.errors import UserError
from flaxheads.landmarks.layout import NUM_POINTS
from flaxheads.training import bilayer, parallel
from flaxheads.training.content_loss import shapes_of_content
from flaxheads.training.hbm_traffic import hbm_bytes
from flaxheads.training.state import describe_state
from flaxheads.training.step import make_train_step

NUM_VIDEOS = 145_569  # VoxCeleb2's training split
_EPOCHS = 75  # of the paper's training
_COLLECTIVES = ('all-reduce', 'all-gather', 'reduce-scatter', 'all-to-all')


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


def _describe_batch(config, mesh, *point_shape):
  shape = (config.training.batch_size, config.data.num_support + 1)
  size = config.model.image_size
  batch = Batch(
    jax.ShapeDtypeStruct((*shape, size, size, 3), jnp.uint8),
    jax.ShapeDtypeStruct((*shape, *point_shape), jnp.float32),
    jax.ShapeDtypeStruct(shape[:1], jnp.int32),
  )
  return parallel.describe_placed(batch, mesh, parallel.SHARDED)


def _trace(config: Config | BilayerConfig, mesh: parallel.Mesh):
  """The state, and the step traced for the mesh.

  With both VGGs in it, or, of the bi-layer generator, with LPIPS where the
  config names a file.
  """
  if isinstance(config, BilayerConfig):
    recipe = bilayer.make_recipe(config)
    state = recipe.describe_state(NUM_VIDEOS, mesh)
    batch = _describe_batch(config, mesh, NUM_VERTICES, 3)
    step, constants = recipe.make_step(mesh), recipe.constants
  else:
    networks = nets.build_networks(config.model)
    state = describe_state(config, networks, NUM_VIDEOS, mesh)
    batch = _describe_batch(config, mesh, NUM_POINTS, 2)
    content = shapes_of_content(config)
    step = make_train_step(config, networks, content, mesh)
    constants = content.params
  logging.info('tracing the step: minutes at 256²')
  constants = parallel.describe_placed(constants, mesh, parallel.REPLICATED)
  return state, step.trace(state, batch, constants)


def _check_kind(config):
  if not isinstance(config, Config | BilayerConfig):
    raise UserError(
      f'--config: of {config.kind}; only the cost of the two generators of '
      'this method is counted'
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


def describe_on(config: Config | BilayerConfig, mesh: parallel.Mesh) -> dict:
  """Compiles the step of an experiment for devices that need not be there.

  Args:
    config: the experiment; its batch is split over the mesh.
    mesh: say from `parallel.make_topology_mesh`.

  Returns:
    Figures for each device: FLOPs, bytes accessed (on a GPU, where XLA counts
    none, those of `hbm_bytes`) and peak memory of a step, the number of its
    collectives; and, where the chip is known, the bytes that lie in its main
    memory, the least time that a step and 75 epochs of VoxCeleb2 can take,
    which limit sets it ('flops' or 'bytes'), and the share of memory that is
    left.

  Raises:
    UserError: batch or table do not split over the mesh, or the experiment
      is of neither generator.
  """
  _check_kind(config)
  state, traced = _trace(config, mesh)
  began = time.monotonic()
  compiled = traced.lower().compile()
  seconds = time.monotonic() - began
  peak, text = peak_memory(compiled), compiled.as_text()
  traffic = hbm_bytes(text)
  samples = config.training.batch_size / parallel.num_devices(mesh)
  counted = compiled.cost_analysis()
  if counted is None:  # of a GPU that is not present
    counted = {'bytes accessed': traffic}
    flops = describe(config)['flops_per_sample'] * samples
  else:
    flops = count_flops(traced, mesh, compiled)
  figures = {
    'num_devices': parallel.num_devices(mesh),
    'samples_per_device': samples,
    'flops': flops,
    'bytes_accessed': counted['bytes accessed'],
    'peak_memory_bytes': peak,
    'collectives': {
      name: count
      for name in _COLLECTIVES
      if (count := len(re.findall(rf' {name}(?:-start)?\(', text)))
    },
    'compile_seconds': round(seconds, 1),
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
    'hbm_bytes': traffic,
    'limit': limit,
    'least_step_seconds': times[limit],
    'least_hours_of_75_epochs': steps * times[limit] / 3600,
    'memory_left': 1 - peak / chip.memory,
  }
