"""Between the levels of 8-bit pictures and the numbers that networks see."""

import jax.numpy as jnp


def to_float(frames):
  """Levels in [0, 255], of any dtype, to float32 in [-1, 1]."""
  return frames.astype(jnp.float32) / 127.5 - 1


def to_uint8(frames):
  """Float in [-1, 1] to uint8."""
  return jnp.clip(jnp.round((frames + 1) * 127.5), 0, 255).astype(jnp.uint8)
