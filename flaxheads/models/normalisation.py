"""Converts frames to the input convention of a pretrained network."""

import jax.numpy as jnp

from flaxheads.models.precision import widen
from flaxheads.weights.convention import Convention


def prepare(frames, convention: Convention):
  """Converts frames to the channel order and scale of pretrained weights.

  Args:
    frames: float [..., 3], RGB in [-1, 1].
    convention: of the weights.

  Returns:
    float32 [..., 3].
  """
  x = widen(frames)
  if convention.channels == 'BGR':
    x = x[..., ::-1]
  half = (convention.high - convention.low) / 2
  x = (x + 1) * half + convention.low
  mean = jnp.asarray(convention.mean, x.dtype)
  return (x - mean) / jnp.asarray(convention.std, x.dtype)
