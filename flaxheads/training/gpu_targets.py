"""GPUs that XLA compiles for without having one.

XLA decides by the limits of a device. Memory and bandwidth are in
`accelerators`. The others are from NVIDIA's CUDA C++ Programming Guide
(docs.nvidia.com/cuda/cuda-c-programming-guide), table "Technical Specifications
per Compute Capability"; counts of multiprocessors and sizes of the L2 cache
from its architecture white papers.
"""

from typing import NamedTuple

from flaxheads.training.accelerators import find_chip


class GpuTarget(NamedTuple):
  """Limits of one GPU.

  Attributes:
    name: as JAX's device_kind has it.
    capability: compute capability, major and minor.
    cores: streaming multiprocessors.
    fpus: float32 units of one.
    threads: resident threads of one, at most.
    shared_memory: bytes of one.
    l2_cache: bytes.
    clock: GHz, boosted.
    reserved: bytes of shared memory that no block may ask for.
  """

  name: str
  capability: tuple[int, int]
  cores: int
  fpus: int
  threads: int
  shared_memory: int
  l2_cache: int
  clock: float
  reserved: int = 1 << 10

  def to_text(self) -> str:
    """XLA's GpuTargetConfigProto in its text format."""
    major, minor = self.capability
    chip = find_chip(self.name)
    return f"""
gpu_device_info {{
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: {48 << 10}
  shared_memory_per_core: {self.shared_memory}
  shared_memory_per_block_optin: {self.shared_memory - self.reserved}
  threads_per_core_limit: {self.threads}
  core_count: {self.cores}
  fpus_per_core: {self.fpus}
  block_dim_limit_x: {2**31 - 1}
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: {chip.bandwidth:.0f}
  l2_cache_size: {self.l2_cache}
  clock_rate_ghz: {self.clock}
  device_memory_size: {chip.memory:.0f}
  cuda_compute_capability {{ major: {major} minor: {minor} }}
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 10 }}
runtime_version {{ major: 12 minor: 9 }}
device_description_str: "{self.name}"
"""


_A100 = GpuTarget(
  'NVIDIA A100-SXM4-80GB',
  capability=(8, 0),
  cores=108,
  fpus=64,
  threads=2048,
  shared_memory=164 << 10,
  l2_cache=40 << 20,
  clock=1.41,
)
_H200 = GpuTarget(
  'NVIDIA H200',
  capability=(9, 0),
  cores=132,
  fpus=128,
  threads=2048,
  shared_memory=228 << 10,
  l2_cache=50 << 20,
  clock=1.98,
)
GPU_TARGETS = {
  'h200': _H200,
  'h100': _H200._replace(name='NVIDIA H100 80GB HBM3'),
  'a100-80g': _A100,
  'a100-40g': _A100._replace(name='NVIDIA A100-SXM4-40GB'),
  'l4': GpuTarget(
    'NVIDIA L4',
    capability=(8, 9),
    cores=58,
    fpus=128,
    threads=1536,
    shared_memory=100 << 10,
    l2_cache=48 << 20,
    clock=2.04,
  ),
  't4': GpuTarget(
    'Tesla T4',
    capability=(7, 5),
    cores=40,
    fpus=64,
    threads=1024,
    shared_memory=64 << 10,
    l2_cache=4 << 20,
    clock=1.59,
    reserved=0,
  ),
}
