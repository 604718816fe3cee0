"""One program for each device: the only module that knows about devices.

`pmap` maps a per-device function, with collectives by axis name, over a mesh
of one axis: `jax.jit` of `jax.shard_map`, which is what `jax.pmap` has become.
Arrays are global, so a table sharded over hosts is one array to a checkpoint.
Every process runs the same program on its own devices; the first one writes.
"""

from collections.abc import Callable

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from flaxheads.errors import UserError
from flaxheads.quick_jit import cpu_options
from flaxheads.training.accelerators import Chip, find_chip

AXIS = 'batch'
REPLICATED = PartitionSpec()
SHARDED = PartitionSpec(AXIS)  # the leading dimension, split over devices
# XLA for TPUs cuts the images of a small batch into strips, with halos to be
# copied and masked in every layer: docs/savings.md has the bytes.
_COMPILER_OPTIONS = {
  'tpu': {
    'xla_tpu_run_space_to_batch': False,
    'xla_tpu_run_space_to_batch_on_new_platforms': False,
  }
}


def start_processes(
  address: str | None = None,
  num_processes: int | None = None,
  process_id: int | None = None,
) -> None:
  """Joins the processes of a run on several hosts, before any other JAX call.

  Args:
    address: host:port of the first process; None: all three are found in the
      environment, as on a Cloud TPU slice, under Slurm or Open MPI.
    num_processes: of the run.
    process_id: from 0.

  Raises:
    UserError: the environment says nothing, or the first process does not
      answer.
  """
  if jax.config.jax_platforms == 'cpu':  # simulated hosts
    jax.config.update('jax_cpu_collectives_implementation', 'gloo')
  try:
    jax.distributed.initialize(address, num_processes, process_id)
  except (ValueError, RuntimeError) as error:
    reason = str(error).strip().splitlines()[0]
    raise UserError(
      f'--distributed: {reason}; outside a TPU slice or Slurm give '
      '--coordinator=HOST:PORT, --num_processes and --process_id'
    ) from None


def process_index() -> int:
  """Which of the processes this is, from 0."""
  return jax.process_index()


def num_processes() -> int:
  """Processes of the run."""
  return jax.process_count()


def is_first_process() -> bool:
  """Whether this process writes the files that a run has once."""
  return jax.process_index() == 0


def all_agree(value: bool) -> bool:
  """Whether `value` is true on every process; all must call it."""
  if jax.process_count() == 1:
    return value
  return bool(np.all(multihost_utils.process_allgather(np.array(value))))


def reached_preemption(step: int) -> bool:
  """Whether the machine is about to be taken: the same step on all processes.

  The distributed runtime catches SIGTERM, which is what a preemption sends,
  and picks a step that no process has passed. False in a single process.
  """
  if jax.process_count() == 1:
    return False
  return multihost_utils.reached_preemption_sync_point(step)


def mesh_of(devices) -> Mesh:
  """A mesh over a list of devices."""
  return Mesh(np.array(devices), (AXIS,))


def make_mesh(num_devices: int | None = None) -> Mesh:
  """A mesh over the first `num_devices` devices; None: all of them.

  Raises:
    UserError: there are fewer.
  """
  devices = jax.devices()
  if num_devices is not None and num_devices > len(devices):
    raise UserError(f'--num_devices={num_devices}: there are {len(devices)}')
  return mesh_of(devices[:num_devices])


def num_devices(mesh: Mesh) -> int:
  """Devices of the mesh, over all hosts."""
  return mesh.devices.size


def pmap(
  function: Callable, mesh: Mesh, in_specs, out_specs, donate_argnums=()
) -> Callable:
  """Maps a per-device function over the mesh.

  Args:
    function: sees the local part of each SHARDED argument and the whole of
      each REPLICATED one; speaks with its siblings by psum, pmean, all_gather
      over the axis `AXIS`. It must make its REPLICATED results equal on all
      devices itself: a forgotten pmean raises nothing.
    mesh: from `make_mesh`.
    in_specs: a tree prefix of REPLICATED and SHARDED for each argument.
    out_specs: the same for the results.
    donate_argnums: arguments whose memory the results may reuse.

  Returns:
    A jitted function of global arrays.
  """
  mapped = jax.shard_map(
    function,
    mesh=mesh,
    in_specs=in_specs,
    out_specs=out_specs,
    check_vma=False,  # gradients stay local until we average them
  )
  platform = mesh.devices.flat[0].platform
  options = _COMPILER_OPTIONS.get(platform)
  if platform == 'cpu':
    options = cpu_options('long')
  return jax.jit(
    mapped, donate_argnums=donate_argnums, compiler_options=options
  )


def describe_placed(tree, mesh: Mesh, spec: PartitionSpec):
  """A tree of jax.ShapeDtypeStruct as `place` would put it on the mesh."""
  sharding = NamedSharding(mesh, spec)
  return jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=sharding
    ),
    tree,
  )


def chip(mesh: Mesh) -> Chip | None:
  """What a device of the mesh can do; None where that is not known."""
  return find_chip(mesh.devices.flat[0].device_kind)


def place(tree, mesh: Mesh, spec: PartitionSpec):
  """Puts host arrays on the devices of the mesh.

  Args:
    tree: numpy arrays; for SHARDED on several hosts, the local part of each.
    mesh: from `make_mesh`.
    spec: REPLICATED or SHARDED.

  Returns:
    The tree as global arrays.
  """
  sharding = NamedSharding(mesh, spec)
  if jax.process_count() == 1:
    return jax.device_put(tree, sharding)
  return jax.tree.map(
    lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)),
    tree,
  )


def place_zeros(tree, mesh: Mesh):
  """REPLICATED zeros of the shapes and dtypes of a tree."""
  zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), tree)
  return place(zeros, mesh, REPLICATED)


def is_done(tree) -> bool:
  """Whether the program that makes these arrays has ended; does not wait."""
  arrays = (x for x in jax.tree.leaves(tree) if isinstance(x, jax.Array))
  return all(x.is_ready() for x in arrays)


def describe(function: Callable, mesh: Mesh, specs):
  """Shapes, dtypes and placement of what `build` would make."""
  return jax.tree.map(
    lambda spec, part: describe_placed(part, mesh, spec),
    specs,
    jax.eval_shape(function),
  )


def build(function: Callable, mesh: Mesh, specs):
  """Runs a function without arguments, each device making its own part.

  Args:
    function: pure; returns a tree of arrays.
    mesh: from `make_mesh`.
    specs: a tree prefix of REPLICATED and SHARDED for the result.

  Returns:
    The tree as global arrays; no host ever holds a SHARDED one whole.
  """
  described = describe(function, mesh, specs)
  shardings = jax.tree.map(lambda leaf: leaf.sharding, described)
  options = cpu_options('once')
  return jax.jit(function, out_shardings=shardings, compiler_options=options)()


def mean(tree):
  """Average over devices, inside a mapped function."""
  return jax.lax.pmean(tree, AXIS)


def all_gather(x):
  """[b, ...] on each device to the global [B, ...] on all."""
  return jax.lax.all_gather(x, AXIS, tiled=True)


def sum_scatter(x):
  """Sum over devices of [B, ...], of which each keeps its [b, ...]."""
  return jax.lax.psum_scatter(x, AXIS, tiled=True)


def index():
  """This device's place on the axis."""
  return jax.lax.axis_index(AXIS)


def count():
  """How many devices the axis has."""
  return jax.lax.axis_size(AXIS)
