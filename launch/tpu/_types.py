"""What the accelerator types are: chips, hosts, image, place in GKE."""

import math
from typing import NamedTuple

from flaxheads.errors import UserError, check_choice


class AcceleratorType(NamedTuple):
  """One slice of TPU chips."""

  chips: int
  hosts: int  # virtual machines, each with a process of its own
  runtime_version: str  # '': not offered by the Cloud TPU API, only by GKE
  gke_accelerator: str  # label cloud.google.com/gke-tpu-accelerator
  topology: str  # label cloud.google.com/gke-tpu-topology

  @property
  def chips_per_host(self) -> int:
    return self.chips // self.hosts


# Runtime versions: cloud.google.com/tpu/docs/runtimes, "PyTorch and JAX".
_V4 = ('tpu-ubuntu2204-base', 'tpu-v4-podslice')
_V5E = ('v2-alpha-tpuv5-lite', 'tpu-v5-lite-podslice')
_V6E = ('v2-alpha-tpuv6e', 'tpu-v6e-slice')


def _slice(topology, chips_per_host, family):
  chips = math.prod(int(side) for side in topology.split('x'))
  return AcceleratorType(chips, chips // chips_per_host, *family, topology)


# - Names: v4-N counts TensorCores, two a chip (cloud.google.com/tpu/docs/v4);
#   v5litepod-N and v6e-N count chips (.../v5e, .../v6e).
# - Hosts: the tables of those pages count machines of eight chips, so that
#   8x8 has 8 "hosts"; what one logs into are virtual machines, of eight chips
#   in the 2x4 slices and of four in larger ones. Google's launcher xpk has
#   the same: 8x8 is 16 of ct5lp-hightpu-4t
#   (github.com/AI-Hypercomputer/xpk, system_characteristics.py).
# - v6e-8 as one machine of eight chips (ct6e-standard-8t): recalled.
# - TPU7x: four chips a machine
#   (docs.cloud.google.com/kubernetes-engine/docs/concepts/tpu-ironwood).
TYPES = {
  'v4-8': _slice('2x2x1', 4, _V4),
  'v4-16': _slice('2x2x2', 4, _V4),
  'v4-32': _slice('2x2x4', 4, _V4),
  'v4-64': _slice('2x4x4', 4, _V4),
  'v5litepod-8': _slice('2x4', 8, _V5E),
  'v5litepod-16': _slice('4x4', 4, _V5E),
  'v5litepod-32': _slice('4x8', 4, _V5E),
  'v5litepod-64': _slice('8x8', 4, _V5E),
  'v5litepod-128': _slice('8x16', 4, _V5E),
  'v5litepod-256': _slice('16x16', 4, _V5E),
  'v6e-8': _slice('2x4', 8, _V6E),
  'v6e-16': _slice('4x4', 4, _V6E),
  'v6e-32': _slice('4x8', 4, _V6E),
  'v6e-64': _slice('8x8', 4, _V6E),
  'tpu7x-2x2x1': _slice('2x2x1', 4, ('', 'tpu7x')),
  'tpu7x-2x2x2': _slice('2x2x2', 4, ('', 'tpu7x')),
  'tpu7x-2x2x4': _slice('2x2x4', 4, ('', 'tpu7x')),
  'tpu7x-2x4x4': _slice('2x4x4', 4, ('', 'tpu7x')),
}


def for_gke(name: str) -> AcceleratorType:
  """The accelerator type of a name; UserError if there is none."""
  check_choice('--accelerator_type', name, TYPES)
  return TYPES[name]


def for_cloud_tpu(name: str) -> AcceleratorType:
  """As `for_gke`, of those that gcloud compute tpus offers."""
  if name in TYPES and not TYPES[name].runtime_version:
    raise UserError(
      f'--accelerator_type: {name} comes through GKE alone; python -m'
      ' launch.tpu.jobset makes a manifest for it'
    )
  check_choice(
    '--accelerator_type',
    name,
    [key for key, value in TYPES.items() if value.runtime_version],
  )
  return TYPES[name]
