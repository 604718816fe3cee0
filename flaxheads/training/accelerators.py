"""Peak speeds of accelerators, from their datasheets."""

from typing import NamedTuple


class Chip(NamedTuple):
  """Limits of one device.

  Attributes:
    flops: dense bfloat16 FLOP/s of matrix units.
    bandwidth: bytes/s between the chip and its memory.
    memory: bytes.
  """

  flops: float
  bandwidth: float
  memory: float


# By the beginning of JAX's device_kind. cloud.google.com/tpu/docs has a page
# for each TPU, nvidia.com a datasheet for each GPU (without sparsity).
_CHIPS = {
  'TPU v4': Chip(275e12, 1228e9, 32 * 2**30),
  'TPU v5 lite': Chip(197e12, 819e9, 16 * 2**30),  # v5e
  'TPU v5': Chip(459e12, 2765e9, 95 * 2**30),  # v5p
  'TPU v6 lite': Chip(918e12, 1640e9, 32 * 2**30),  # v6e
  'NVIDIA A100-SXM4-40GB': Chip(312e12, 1555e9, 40e9),
  'NVIDIA A100-SXM4-80GB': Chip(312e12, 2039e9, 80e9),
  'NVIDIA A100-PCIE-40GB': Chip(312e12, 1555e9, 40e9),
  'NVIDIA A100 80GB PCIe': Chip(312e12, 1935e9, 80e9),
  'NVIDIA H100 PCIe': Chip(756e12, 2000e9, 80e9),
  'NVIDIA H100 80GB HBM3': Chip(989e12, 3350e9, 80e9),
  'NVIDIA H200': Chip(989e12, 4800e9, 141e9),
  'NVIDIA L4': Chip(121e12, 300e9, 24e9),
  'Tesla T4': Chip(65e12, 320e9, 16e9),  # float16: it has no bfloat16
}


def find_chip(device_kind: str) -> Chip | None:
  """The chip that JAX calls `device_kind`; None if it is not known here."""
  known = [name for name in _CHIPS if device_kind.startswith(name)]
  return _CHIPS[max(known, key=len)] if known else None
