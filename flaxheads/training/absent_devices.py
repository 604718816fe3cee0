"""Meshes of accelerators that are not present, to compile programs for."""

import importlib.util
import re

from jax.experimental import topologies

from flaxheads.errors import UserError
from flaxheads.training.gpu_targets import GPU_TARGETS
from flaxheads.training.parallel import Mesh, mesh_of
from flaxheads.xla_flags import has_cuda_plugin

_KNOWN = ', '.join(
  ('v5e:2x4', 'v4:2x2x4', 'v6e:2x4', *(f'{name}:1' for name in GPU_TARGETS))
)


def _describe_gpus(topology: str, name: str, size: str) -> dict:
  if not re.fullmatch('[1-9][0-9]?', size):
    raise UserError(
      f'--topology={topology}: write the number of GPUs, as in {name}:8'
    )
  return {
    'platform': 'cuda',
    'target_config': GPU_TARGETS[name].to_text(),
    'topology': f'1x1x{size}',
  }


def _describe_tpus(topology: str, name: str, size: str) -> dict:
  options = {'platform': 'tpu', 'topology_name': topology}
  if size == '1x1':
    options['chips_per_host_bounds'] = (1, 1, 1)
  if name == 'v4':  # both cores of a chip are one device to JAX
    options['chip_config_name'] = 'megacore'
  return options


def _check_plugin(topology: str, present: bool, extra: str) -> None:
  if not present:
    raise UserError(
      f'--topology={topology}: the plugin of JAX that compiles for it is '
      f"missing (pip install 'jax[{extra}]')"
    )


def make_topology_mesh(topology: str) -> Mesh:
  """A mesh of accelerators that are not present.

  Args:
    topology: TPU chips such as 'v5e:2x4', 'v4:2x2x4', 'v6e:2x4' ('v5e:1x1' is
      one chip), or a name of `gpu_targets` and a count, such as 'h200:1'.

  Raises:
    UserError: there is no such topology, or JAX's plugin for it is missing.
  """
  name, _, size = topology.partition(':')
  if name in GPU_TARGETS:
    options = _describe_gpus(topology, name, size)
    _check_plugin(topology, has_cuda_plugin(), 'cuda12')
  elif re.fullmatch(r'v\d\w*:\d+(x\d+)+', topology):
    options = _describe_tpus(topology, name, size)
    has_libtpu = importlib.util.find_spec('libtpu') is not None
    _check_plugin(topology, has_libtpu, 'tpu')
  else:
    raise UserError(f'--topology={topology}: not known; some are {_KNOWN}')
  try:
    described = topologies.get_topology_desc(**options)
  except Exception as error:
    reason = str(error).strip().splitlines()[0][:160]
    raise UserError(
      f'--topology={topology}: {reason}; some are {_KNOWN}'
    ) from None
  return mesh_of(described.devices)
