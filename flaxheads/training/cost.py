"""What a program costs, without running it."""

import math
import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from flaxheads import platforms
from flaxheads.config import Checked
from flaxheads.errors import UserError
from flaxheads.training import parallel
from flaxheads.training.hbm_traffic import hbm_bytes

_COLLECTIVES = ('all-reduce', 'all-gather', 'reduce-scatter', 'all-to-all')
MEMORY_TO_LEAVE = 0.1  # of a device's, for what XLA does not plan


class Program(NamedTuple):
  """A program for the devices of a mesh.

  Attributes:
    function: a jitted function.
    arguments: of it, trees of jax.ShapeDtypeStruct.
    state: what stays on the devices from run to run, a tree of
      jax.ShapeDtypeStruct with shardings.
    samples: samples or frames of one run on each device.
  """

  function: Callable
  arguments: tuple
  state: Any
  samples: float


def count(tree) -> int:
  """Numbers in a tree of arrays."""
  return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def bytes_per_device(tree) -> int:
  """Bytes of a tree that lie on each device."""
  return sum(
    int(np.prod(leaf.sharding.shard_shape(leaf.shape))) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(tree)
  )


def compile_on(function: Callable, arguments: tuple, mesh: parallel.Mesh):
  """Compiles a jitted function for the devices of a mesh, present or not."""
  with platforms.tracing_for(mesh.devices.flat[0].platform):
    return function.lower(*arguments).compile()


def count_flops(
  function: Callable, arguments: tuple, mesh: parallel.Mesh, compiled=None
) -> float:
  """FLOPs of one run on each device, by XLA's count.

  XLA counts the body of a loop once, and gradients have loops on a CPU
  (models/convolution.py), where resampling takes other forms, too. For a CPU
  the form for accelerators is counted, as it is before XLA simplifies it, and
  nothing is compiled.

  Args:
    function: jitted.
    arguments: of it, arrays or jax.ShapeDtypeStruct.
    mesh: the devices it is for.
    compiled: the program, if it is compiled already.
  """
  if mesh.devices.flat[0].platform == 'cpu':
    with platforms.tracing_for('tpu'):
      traced = function.trace(*arguments)
      counted = traced.lower(lowering_platforms=('tpu',))
  else:
    counted = compiled or compile_on(function, arguments, mesh)
  return (counted.cost_analysis() or {}).get('flops', 0.0)


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


def measure(program: Program, mesh: parallel.Mesh) -> dict:
  """Compiles a program and reports what a run costs each device.

  Args:
    program: for the mesh.
    mesh: say from `absent_devices.make_topology_mesh`.

  Returns:
    JSON values: num_devices, samples_per_device, flops (None on a GPU that is
    not present, where XLA counts none), bytes_accessed (there those of
    `hbm_bytes`), hbm_bytes, peak_memory_bytes, state_bytes, collectives by
    kind, compile_seconds and compile_cpu_seconds (of all threads).
  """
  began, busy = time.monotonic(), time.process_time()
  compiled = compile_on(program.function, program.arguments, mesh)
  seconds, busy = time.monotonic() - began, time.process_time() - busy
  text, counted = compiled.as_text(), compiled.cost_analysis()
  traffic = hbm_bytes(text)
  return {
    'num_devices': parallel.num_devices(mesh),
    'samples_per_device': program.samples,
    'flops': None
    if counted is None
    else count_flops(program.function, program.arguments, mesh, compiled),
    'bytes_accessed': (counted or {}).get('bytes accessed', traffic),
    'hbm_bytes': traffic,
    'peak_memory_bytes': peak_memory(compiled),
    'state_bytes': bytes_per_device(program.state),
    'collectives': {
      name: number
      for name in _COLLECTIVES
      if (number := len(re.findall(rf' {name}(?:-start)?\(', text)))
    },
    'compile_seconds': round(seconds, 1),
    'compile_cpu_seconds': round(busy, 1),
  }


def limits(figures: dict, chip: parallel.Chip) -> dict:
  """What the chip's datasheet says of a program.

  Args:
    figures: of `measure`, with FLOPs.
    chip: that it is for.

  Returns:
    'least_seconds' of a run; the 'limit' that sets it, 'flops' or 'bytes';
    'memory_left', a share, negative where the program does not fit; and, where
    less than `MEMORY_TO_LEAVE` is left, 'samples_that_fit' on each device.
  """
  times = {
    'flops': figures['flops'] / chip.flops,
    'bytes': figures['bytes_accessed'] / chip.bandwidth,
  }
  limit = max(times, key=times.get)
  found = {
    'limit': limit,
    'least_seconds': times[limit],
    'memory_left': 1 - figures['peak_memory_bytes'] / chip.memory,
  }
  if found['memory_left'] >= MEMORY_TO_LEAVE:
    return found
  return found | {'samples_that_fit': samples_that_fit(figures, chip)}


def samples_that_fit(figures: dict, chip: parallel.Chip) -> int:
  """Samples for each device at which `MEMORY_TO_LEAVE` is left, an estimate.

  What is not state grows with the samples.

  Args:
    figures: of `measure`.
    chip: that the program is for.
  """
  peak, state = figures['peak_memory_bytes'], figures['state_bytes']
  room = (1 - MEMORY_TO_LEAVE) * chip.memory - state
  share = room / (peak - state) * figures['samples_per_device']
  return max(0, math.floor(share))


def advise(config: Checked, figures: dict) -> str:
  """Which field of a config makes its training step fit.

  Args:
    config: the experiment.
    figures: of `measure` and `limits`, with 'samples_that_fit'.
  """
  fit, samples = figures['samples_that_fit'], figures['samples_per_device']
  training = config.training
  if not fit:
    return 'not even one sample fits; lower --config.model.image_size'
  smaller = f'--config.training.batch_size={fit * figures["num_devices"]}'
  if not hasattr(training, 'accumulation_steps'):
    return f'{smaller} should fit'
  at_once = fit / training.accumulation_steps
  parts = next(
    n
    for n in range(training.accumulation_steps, int(samples) + 1)
    if samples % n == 0 and samples / n <= at_once or n == samples
  )
  return (
    f'{smaller} should fit, or --config.training.accumulation_steps={parts} '
    'with the same batch'
  )


def check_batch(config: Checked, mesh: parallel.Mesh) -> None:
  """Raises UserError where a batch does not split over the mesh."""
  # A baseline processes the batch of a device at once.
  steps = getattr(config.training, 'accumulation_steps', 1)
  num_devices = parallel.num_devices(mesh)
  parts = num_devices * steps
  if config.training.batch_size % parts:
    each = f' in {steps} accumulation steps' if steps > 1 else ''
    raise UserError(
      f'training.batch_size: {config.training.batch_size} does not split '
      f'over {num_devices} devices{each}; a multiple of {parts} is needed'
    )


def check_fits(config: Checked, compiled, mesh: parallel.Mesh, state) -> None:
  """Raises UserError where a training step needs more memory than there is.

  Args:
    config: the experiment.
    compiled: its step.
    mesh: that it is compiled for; nothing is checked where the chip is unknown.
    state: of training.
  """
  chip = parallel.chip(mesh)
  if chip is None or (peak := peak_memory(compiled)) <= chip.memory:
    return
  devices = parallel.num_devices(mesh)
  figures = {
    'num_devices': devices,
    'samples_per_device': config.training.batch_size / devices,
    'peak_memory_bytes': peak,
    'state_bytes': bytes_per_device(state),
  }
  figures['samples_that_fit'] = samples_that_fit(figures, chip)
  raise UserError(
    f'a step needs {peak / 1e9:.0f} GB of each device, which has '
    f'{chip.memory / 1e9:.0f} GB: {advise(config, figures)}'
  )
