"""LPIPS on frames in [0, 1]."""

import numpy as np

from flaxheads.errors import UserError
from flaxheads.metrics.networks import MetricNetwork
from flaxheads.models.lpips import MIN_SIZE


def lpips(network: MetricNetwork, a, b) -> np.ndarray:
  """Zhang et al. 2018, version 0.1: the perceptual distance of two images.

  Args:
    network: 'lpips_alex' or 'lpips_vgg' of metrics.networks.
    a: float [F, H, W, 3], RGB in [0, 1], H and W at least 32.
    b: the same shape and range.

  Returns:
    float32 [F], 0 (but for rounding) for equal images; lower is nearer.

  Raises:
    UserError: another network, or frames of another shape or range.
  """
  if not network.name.startswith('lpips'):
    raise UserError(f'network: {network.name} given; lpips_alex is needed')
  height, width = np.shape(a)[-3:-1] if np.ndim(a) > 2 else (0, 0)
  if min(height, width) < MIN_SIZE:
    raise UserError(
      f'a: shape {np.shape(a)} given; LPIPS needs at least'
      f' {MIN_SIZE}x{MIN_SIZE} pixels'
    )
  return network(a, b)
