"""Backdrops: five kinds of blurred room."""

import jax.numpy as jnp

from flaxheads.data.synthetic_heads import noise
from flaxheads.data.synthetic_heads.solids import length, smooth_step


def _mix(a, b, t):
  return a + (b - a) * t[..., None]


def backdrop(identity, u, v):
  """Linear RGB of the backdrop.

  Args:
    identity: an Identity of scalars.
    u: across the image, -1 to 1: [N].
    v: up, -1 to 1: [N].

  Returns:
    [N, 3].
  """
  i = identity
  first, second, third = i.backdrop
  seed_x, seed_y, seed_z = i.texture
  soft = noise.fractal(u * 1.3 + seed_x, v * 1.3 + seed_y, seed_z, 2)
  wall = _mix(0.6 * first, first, smooth_step(-1.4, 1.4, v + 0.5 * soft))
  # A window: a bright rectangle with a soft edge and a cross of bars.
  wx, wy = u - 0.7 + 1.4 * (i.texture[0] > 25.0), v - 0.25
  inside = smooth_step(
    0.06, -0.06, jnp.maximum(jnp.abs(wx) - 0.55, wy * wy - 0.4)
  )
  bars = jnp.minimum(jnp.abs(wx), jnp.abs(wy))
  glass = inside * smooth_step(0.02, 0.07, bars)
  window = _mix(wall, 0.8 + 0.6 * third, glass)
  # Out-of-focus lights.
  lights = 0.25 * wall
  for n in range(7):
    px = noise.wave(seed_x * 0.13 + n * 0.377) * 1.1
    py = noise.wave(seed_y * 0.17 + n * 0.218) * 1.0
    size = 0.10 + 0.05 * noise.wave(seed_z + n * 0.61)
    disc = smooth_step(size + 0.03, size - 0.03, length(u - px, v - py))
    lights = lights + disc[..., None] * (
      0.5 * (second if n % 2 else third) + 0.1
    )
  slat = smooth_step(
    -0.25, 0.25, noise.wave(u * (1.5 + 0.04 * seed_x) + 0.04 * soft)
  )
  slats = _mix(wall, 0.5 * first + 0.5 * second, slat)
  # A landscape or a room far out of focus.
  cloud = noise.fractal(u * 1.1 + seed_z, v * 1.6 + seed_x, seed_y, 3)
  horizon = smooth_step(-0.35, 0.35, v + 0.5 * soft + 0.2)
  far = _mix(0.7 * second, third + 0.15, horizon)
  far = _mix(far, first, smooth_step(0.0, 0.9, cloud))
  styles = (wall, window, lights, slats, far)
  total = sum(w * s for w, s in zip(i.backdrop_style, styles, strict=True))
  vignette = 1.0 - 0.18 * (u * u + v * v)
  return total * vignette[..., None]
