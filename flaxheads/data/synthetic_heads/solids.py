"""Signed distance functions, and operators that combine them.

Coordinates come as separate arrays x, y, z of one shape, in centimetres:
the renderer's loops then stay elementwise, which XLA vectorises on a CPU.
Distances are lower bounds or close to it; negative means inside.
"""

import jax.numpy as jnp


def length(*components):
  """Euclidean length of a vector given by its components."""
  return jnp.sqrt(sum(c * c for c in components) + 1e-9)


def smooth_min(a, b, k):
  """min(a, b) with a fillet of size k cm (polynomial)."""
  h = jnp.maximum(k - jnp.abs(a - b), 0.0)
  return jnp.minimum(a, b) - h * h * (0.25 / k)


def smooth_max(a, b, k):
  """max(a, b) with a fillet of size k cm (polynomial)."""
  h = jnp.maximum(k - jnp.abs(a - b), 0.0)
  return jnp.maximum(a, b) + h * h * (0.25 / k)


def smooth_step(low, high, value):
  """0 below `low`, 1 above `high`, cubic between."""
  t = jnp.clip((value - low) / (high - low), 0.0, 1.0)
  return t * t * (3.0 - 2.0 * t)


def bump(*components):
  """A smooth bump: 1 at the origin, 0 from length 1 on."""
  rest = jnp.maximum(1.0 - sum(c * c for c in components), 0.0)
  return rest * rest


def sphere(x, y, z, radius):
  """A ball about the origin."""
  return length(x, y, z) - radius


def ellipsoid(x, y, z, rx, ry, rz):
  """An ellipsoid about the origin; first-order distance."""
  ax, ay, az = x / rx, y / ry, z / rz
  k0 = length(ax, ay, az)
  k1 = length(ax / rx, ay / ry, az / rz)
  return k0 * (k0 - 1.0) / k1


def capsule(x, y, z, start, end, r0, r1):
  """A capsule from `start` to `end` whose radius goes from r0 to r1."""
  bx, by, bz = (e - s for s, e in zip(start, end, strict=True))
  px, py, pz = x - start[0], y - start[1], z - start[2]
  along = (px * bx + py * by + pz * bz) / (bx * bx + by * by + bz * bz)
  h = jnp.clip(along, 0.0, 1.0)
  radius = r0 + (r1 - r0) * h
  return length(px - h * bx, py - h * by, pz - h * bz) - radius
