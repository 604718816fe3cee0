"""The loss terms in PyTorch; see flaxheads/training/losses.py."""

import torch.nn.functional as F

from tests.benchmark.reference.networks import full


def features_loss(fake, real):
  """Sum over layers of the mean absolute difference; none into `real`."""
  pairs = zip(fake, real, strict=True)
  return sum(F.l1_loss(full(a), full(b.detach())) for a, b in pairs)


def pyramid_loss(fake, real, num_levels=4):
  """L1 between Laplacian pyramids, [B, 3, H, W]."""
  x, total = fake - real.detach(), 0.0
  for _ in range(num_levels - 1):
    low = F.avg_pool2d(x, 2)
    high = F.interpolate(
      low, scale_factor=2.0, mode='bilinear', align_corners=False
    )
    total = total + (x - high).abs().mean()
    x = low
  return total + x.abs().mean()


def hinge(real_score, fake_score):
  """L_DSC."""
  return F.relu(1 + fake_score).mean() + F.relu(1 - real_score).mean()
