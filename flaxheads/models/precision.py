"""Float32 where bfloat16 is too coarse: statistics, scores, images, losses."""

import flax.linen as nn
import jax
import jax.numpy as jnp

# Else TPUs round products to bfloat16 and GPUs to TF32.
HIGHEST = jax.lax.Precision.HIGHEST


def wide(dtype) -> jnp.dtype:
  """Float32, or the dtype itself if it is wider (parity checks)."""
  return jnp.promote_types(dtype, jnp.float32)


def widen(x):
  """Converts `x` to at least float32."""
  return x.astype(wide(x.dtype))


def precise_conv(channels, size, strides, padding, name) -> nn.Conv:
  """A square convolution as exact as published weights need it."""
  return nn.Conv(
    channels,
    (size, size),
    strides,
    padding=padding,
    precision=HIGHEST,
    name=name,
  )
