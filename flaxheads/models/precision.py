"""Float32 where bfloat16 is too coarse: statistics, scores, images, losses."""

import jax.numpy as jnp


def wide(dtype) -> jnp.dtype:
  """Float32, or the dtype itself if it is wider (parity checks)."""
  return jnp.promote_types(dtype, jnp.float32)


def widen(x):
  """Converts `x` to at least float32."""
  return x.astype(wide(x.dtype))
