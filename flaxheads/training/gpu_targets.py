"""GPUs that XLA compiles for without having one.

XLA decides by the limits of a device, which the maker's data sheets and
programming guides state: docs.nvidia.com/cuda/cuda-c-programming-guide, table
"Technical Specifications per Compute Capability", and the architecture white
papers of nvidia.com for the counts of multiprocessors and L2 cache.
"""

from typing import NamedTuple


class GpuTarget(NamedTuple):
  """Limits of one GPU.

  Attributes:
    name: as JAX's device_kind has it.
    capability: compute capability, major and minor.
    cores: streaming multiprocessors.
    fpus: float32 units of one.
    threads: resident threads of one, at most.
    shared_memory: bytes of one.
    shared_memory_of_block: bytes that one block may ask for.
    l2_cache: bytes.
    clock: GHz, boosted.
    bandwidth: bytes/s between GPU and memory.
    memory: bytes.
  """

  name: str
  capability: tuple[int, int]
  cores: int
  fpus: int
  threads: int
  shared_memory: int
  shared_memory_of_block: int
  l2_cache: int
  clock: float
  bandwidth: float
  memory: float

  def to_text(self) -> str:
    """XLA's GpuTargetConfigProto in its text format."""
    major, minor = self.capability
    return f"""
gpu_device_info {{
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: {48 << 10}
  shared_memory_per_core: {self.shared_memory}
  shared_memory_per_block_optin: {self.shared_memory_of_block}
  threads_per_core_limit: {self.threads}
  core_count: {self.cores}
  fpus_per_core: {self.fpus}
  block_dim_limit_x: {2**31 - 1}
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: {self.bandwidth:.0f}
  l2_cache_size: {self.l2_cache}
  clock_rate_ghz: {self.clock}
  device_memory_size: {self.memory:.0f}
  cuda_compute_capability {{ major: {major} minor: {minor} }}
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 10 }}
runtime_version {{ major: 12 minor: 9 }}
device_description_str: "{self.name}"
"""


def _of_kib(kib: int) -> tuple[int, int]:
  """Shared memory of a multiprocessor, and of a block: 1 KiB is reserved."""
  return kib << 10, (kib - 1) << 10


GPU_TARGETS = {
  'h200': GpuTarget(
    'NVIDIA H200', (9, 0), 132, 128, 2048, *_of_kib(228), 50 << 20, 1.98,
    4.8e12, 141e9,
  ),
  'h100': GpuTarget(
    'NVIDIA H100 80GB HBM3', (9, 0), 132, 128, 2048, *_of_kib(228), 50 << 20,
    1.98, 3.35e12, 80e9,
  ),
  'a100-80g': GpuTarget(
    'NVIDIA A100-SXM4-80GB', (8, 0), 108, 64, 2048, *_of_kib(164), 40 << 20,
    1.41, 2.039e12, 80e9,
  ),
  'a100-40g': GpuTarget(
    'NVIDIA A100-SXM4-40GB', (8, 0), 108, 64, 2048, *_of_kib(164), 40 << 20,
    1.41, 1.555e12, 40e9,
  ),
  'l4': GpuTarget(
    'NVIDIA L4', (8, 9), 58, 128, 1536, *_of_kib(100), 48 << 20, 2.04, 300e9,
    24e9,
  ),
  't4': GpuTarget(
    'Tesla T4', (7, 5), 40, 64, 1024, 64 << 10, 64 << 10, 4 << 20, 1.59, 320e9,
    16e9,
  ),
}  # fmt: skip
