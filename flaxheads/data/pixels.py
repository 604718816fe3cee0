"""Conversion between 8-bit pixels and the floats of the networks."""

import jax.numpy as jnp


def to_float(frames):
  """Pixel values in [0, 255], of any dtype, to float32 in [-1, 1]."""
  return frames.astype(jnp.float32) / 127.5 - 1


def to_uint8(frames):
  """Float in [-1, 1] to uint8, rounded and clipped."""
  return jnp.clip(jnp.round((frames + 1) * 127.5), 0, 255).astype(jnp.uint8)
