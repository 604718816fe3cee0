"""Procedural noise in plain arithmetic, which vectorises on a CPU."""

import jax.numpy as jnp


def wave(t):
  """A smooth wave of period 1 within [-1, 1]; like a sine, but cheaper."""
  u = t - jnp.floor(t + 0.5)
  return u * (8.0 - 16.0 * jnp.abs(u))


def _hash(ix, iy, iz):
  """Integer lattice points to [0, 1]."""
  h = (
    ix * jnp.uint32(0x8DA6B343)
    ^ iy * jnp.uint32(0xD8163841)
    ^ iz * jnp.uint32(0xCB1AB31F)
  )
  h = (h ^ (h >> 15)) * jnp.uint32(0x2C1B3C6D)
  h = (h ^ (h >> 12)) * jnp.uint32(0x297A2D39)
  return (h >> 8).astype(jnp.float32) * (1.0 / (1 << 24))


def noise(x, y, z):
  """Value noise with a lattice of 1: smooth, in [-1, 1]."""
  fx, fy, fz = jnp.floor(x), jnp.floor(y), jnp.floor(z)
  tx, ty, tz = x - fx, y - fy, z - fz
  ix, iy, iz = (f.astype(jnp.int32).astype(jnp.uint32) for f in (fx, fy, fz))
  tx, ty, tz = (t * t * (3.0 - 2.0 * t) for t in (tx, ty, tz))
  one = jnp.uint32(1)
  total = 0.0
  for dx in (0, 1):
    wx = tx if dx else 1 - tx
    for dy in (0, 1):
      wy = ty if dy else 1 - ty
      for dz in (0, 1):
        wz = tz if dz else 1 - tz
        corner = _hash(ix + dx * one, iy + dy * one, iz + dz * one)
        total = total + wx * wy * wz * corner
  return 2.0 * total - 1.0


def fractal(x, y, z, octaves=3):
  """Sum of `octaves` noises, each twice as fine and half as strong."""
  total, weight = 0.0, 1.0
  for _ in range(octaves):
    total = total + weight * noise(x, y, z)
    x, y, z, weight = 2.03 * x + 7.1, 2.03 * y + 3.7, 2.03 * z + 5.3, weight / 2
  return total
