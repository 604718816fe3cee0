"""Noise, and what layers do, written down plainly."""

import jax
import numpy as np


def normal(*shape, seed=0):
  rng = np.random.default_rng([seed, *shape])
  return rng.normal(size=shape).astype(np.float32)


def convolve(x, kernel, padding=None):
  """Zeros on each side; None for as many as keep the size."""
  pads = 'SAME' if padding is None else 2 * [(padding, padding)]
  return jax.lax.conv_general_dilated(
    x, kernel, (1, 1), pads, dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )


def pool(x):
  parts = [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
  return sum(parts) / 4


def upsample(x):
  return x.repeat(2, axis=1).repeat(2, axis=2)
