"""One program for each device: the only module that knows about devices.

`pmap` maps a per-device function, with collectives by axis name, over a mesh
of one axis: `jax.jit` of `jax.shard_map`, which is what `jax.pmap` has become.
Arrays are global, so a table sharded over hosts is one array to a checkpoint.
"""

from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXIS = 'batch'
REPLICATED = PartitionSpec()
SHARDED = PartitionSpec(AXIS)  # the leading dimension, split over devices


def make_mesh(num_devices: int | None = None) -> Mesh:
  """A mesh over the first `num_devices` devices; None: all of them."""
  devices = jax.devices()
  return Mesh(np.array(devices[:num_devices]), (AXIS,))


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
  return jax.jit(mapped, donate_argnums=donate_argnums)


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


def describe_leaf(leaf, mesh: Mesh) -> jax.ShapeDtypeStruct:
  """Shape, dtype and placement (REPLICATED) for restoring an array."""
  sharding = NamedSharding(mesh, REPLICATED)
  return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


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
