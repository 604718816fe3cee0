"""Renders frames of people in motion."""

import functools

import jax
import jax.numpy as jnp

from flaxheads.data.synthetic_heads import camera, shading, tracing
from flaxheads.data.synthetic_heads import scene as scene_lib
from flaxheads.data.synthetic_heads.backdrop import backdrop

# Tiles that are worked on together: their arrays stay in a core's cache.
_CHUNK = 64
_SHADOW_STEPS = 9
_NORMAL_REACH = 0.05  # cm


def _normal(scene, point):
  """Unit normals by differences over a tetrahedron."""
  corners = jnp.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], float)

  def probe(n, total):
    e = corners[n]
    at = tuple(p + _NORMAL_REACH * e[c] for c, p in enumerate(point))
    d = scene_lib.distance(scene, *at)
    return tuple(s + e[c] * d for c, s in enumerate(total))

  zero = jnp.zeros_like(point[0])
  normal = jax.lax.fori_loop(0, 4, probe, (zero, zero, zero))
  scale = jax.lax.rsqrt(shading.dot(normal, normal) + 1e-12)
  return tuple(c * scale for c in normal)


def _develop(linear):
  """Exposure curve and gamma: linear RGB to [0, 1]."""
  x = jnp.maximum(0.62 * linear, 0.0)
  # A film-like shoulder and toe: Narkowicz 2015's fit of ACES.
  x = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
  return jnp.clip(x, 1e-6, 1.0) ** (1 / 2.2)


def _light(scene, t, point, normal):
  """Shadow and occlusion of rays, [N] each.

  Sampled for the nearest and the farthest ray of each quad, which differ at
  edges; the other two take after the one that is closer to them.
  """
  quads = t.reshape(-1, tracing.QUAD**2)  # [N / 4, 4]
  ends = jnp.stack([quads.argmin(1), quads.argmax(1)], axis=1)

  def at_ends(values):
    values = values.reshape(quads.shape)
    return jnp.take_along_axis(values, ends, axis=1).reshape(-1)

  some_point = tuple(at_ends(c) for c in point)
  some_normal = tuple(at_ends(c) for c in normal)
  lit = shading.shadow(scene, some_point, some_normal, _SHADOW_STEPS)
  clear = shading.occlusion(scene, some_point, some_normal)
  to_near = quads - quads.min(1, keepdims=True)
  is_near = to_near <= quads.max(1, keepdims=True) - quads

  def spread(values):
    near, far = values.reshape(-1, 2, 1).swapaxes(0, 1)
    return jnp.where(is_near, near, far).reshape(-1)

  return spread(lit), spread(clear)


def _shade(scene, u, v, t):
  """Linear RGB of rays [N] that end at t: [N, 3]."""
  origin, direction = camera.rays(scene.view, u, v)
  point = tracing.along(origin, direction, t)
  normal = _normal(scene, point)
  lit, clear = _light(scene, t, point, normal)
  view = tuple(-d for d in direction)
  surface = shading.Surface(point, normal, view, lit, clear)
  return shading.shade(scene, surface, scene_lib.parts(scene, *point))


def _foreground(scene, across):
  """Colour and cover of across^2 rays: [across, across, 4]."""
  tiles = tracing.make_tiles(scene, across)
  chunk = min(_CHUNK, len(tiles.u))
  hits = tracing.trace(scene, tiles, across, chunk)

  def step(index, colours):
    u, v, t, hit = (
      c[index].reshape(-1)
      for c in (tiles.u, tiles.v, hits.best_t, hits.cover() > 0)
    )
    colour = _shade(scene, u, v, t)
    # Rays into the void may end where the formulas do.
    colour = jnp.where(hit[:, None], colour, 0.0)
    return colours.at[index].set(colour.reshape(-1, tracing.RAYS, 3))

  colours = jnp.zeros((*tiles.u.shape, 3))
  colours = tracing.over_tiles(tiles, chunk, step, colours)
  front = jnp.concatenate([colours, hits.cover()[..., None]], axis=-1)
  return tracing.from_tiles(front, across)


def _frame(identity, motion, behind, image_size):
  """One image: uint8 [S, S, 3]. `behind` is the backdrop, [S, 1, S, 1, 3]."""
  scene = scene_lib.make_scene(identity, motion)
  s, k = image_size, tracing.QUAD  # a quad of rays is a pixel
  front = _foreground(scene, s * k).reshape(s, k, s, k, 4)
  behind = behind * (0.4 + 0.6 * motion.light_power)
  linear = behind + (front[..., :3] - behind) * front[..., 3:]
  image = _develop(linear).mean((1, 3))  # [S, S, 3]
  return jnp.round(image * 255).astype(jnp.uint8)


@functools.partial(jax.jit, static_argnames='image_size')
def render(identity, motion, image_size: int):
  """Draws a clip; compiled once for each size and number of frames.

  Args:
    identity: an Identity.
    motion: a Motion of [F] arrays.
    image_size: the images' side S, pixels.

  Returns:
    uint8 [F, S, S, 3].
  """
  u, v = camera.picture_grid(image_size)
  behind = backdrop(identity, 2 * u, 2 * v)
  behind = behind.reshape(image_size, 1, image_size, 1, 3)
  return jax.lax.map(lambda m: _frame(identity, m, behind, image_size), motion)
