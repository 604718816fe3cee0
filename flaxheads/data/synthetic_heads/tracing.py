"""Sphere tracing: where the rays of an image meet the scene.

Three passes, from coarse to fine, so that no work is spent on empty space:
cones as wide as a tile of 8x8 rays, cones as wide as a quad of 2x2, rays. The
few rays that graze a silhouette are then gathered and marched on, in rounds,
until they meet what lies behind it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.data.synthetic_heads import camera
from flaxheads.data.synthetic_heads import scene as scene_lib

TILE = 8  # rays across a tile
QUAD = 2  # rays across a quad; a tile lists its rays quad by quad
RAYS = TILE * TILE

_TILE_STEPS = 20
_QUAD_STEPS = 12
_RAY_STEPS = 8
_GRAZING_STEPS = 26
_GRAZING_ROUNDS = 4  # of so many steps; after one, ears and hair had holes
_GRAZING_CHUNK = 2048
_NEAR = 26.0  # cm in front of the head's middle at which rays start
_FAR = 32.0  # cm behind it at which they are given up
_LIMIT = camera.DISTANCE + _FAR


class Tiles(NamedTuple):
  """An image's rays by tiles: T tiles of 64 rays, quad by quad."""

  u: jax.Array  # [T, 64] across the image, -0.5 to 0.5
  v: jax.Array  # [T, 64] up
  start: jax.Array  # [T] cm from the camera to where something may be
  order: jax.Array  # [T] the tiles' numbers, those with content first
  num_filled: jax.Array  # how many have content


class Hits(NamedTuple):
  """State of rays: [..., 64] or [N] each."""

  t: jax.Array  # cm from the camera that the ray has come
  best_t: jax.Array  # where it was nearest to the scene
  best: jax.Array  # how near that was, in pixels

  def cover(self):
    """The pixel's share that the scene covers: smooths silhouettes."""
    return jnp.clip(1.25 - self.best, 0.0, 1.0)


def along(origin, direction, t):
  """Points at t on rays: three arrays."""
  return tuple(o + t * d for o, d in zip(origin, direction, strict=True))


def _in_tiles(values, across):
  """Row by row [across^2] to tile by tile, quad by quad: [T, 64]."""
  tiles, quads = across // TILE, TILE // QUAD
  values = values.reshape(tiles, quads, QUAD, tiles, quads, QUAD)
  return values.transpose(0, 3, 1, 4, 2, 5).reshape(tiles * tiles, RAYS)


def from_tiles(values, across):
  """Tiles [T, 64, C] to rows [across, across, C]."""
  tiles, quads = across // TILE, TILE // QUAD
  values = values.reshape(tiles, tiles, quads, quads, QUAD, QUAD, -1)
  values = values.transpose(0, 2, 4, 1, 3, 5, 6)
  return values.reshape(across, across, -1)


def march_cones(scene, u, v, t, width, num_steps):
  """Moves cones up to what they might touch.

  Args:
    scene: the Scene.
    u: the cones' middles across the image: [N].
    v: the same, up: [N].
    t: where they start, cm from the camera: [N].
    width: a cone's width, as a share of the image.
    num_steps: how often.

  Returns:
    Distances from the camera [N], cm.
  """
  origin, direction = camera.rays(scene.view, u, v)
  radius = 0.75 * width * camera.picture_tangent(scene.view)

  def step(_, t):
    gap = scene_lib.distance(scene, *along(origin, direction, t))
    return t + jnp.maximum(0.8 * (gap - radius * t), 0.0)

  return jax.lax.fori_loop(0, num_steps, step, t)


def make_tiles(scene, across: int) -> Tiles:
  """Sorts out the tiles of an image of across^2 rays."""
  u, v = (_in_tiles(c, across) for c in camera.picture_grid(across))
  start = jnp.full(len(u), camera.DISTANCE - _NEAR)
  start = march_cones(
    scene, u.mean(1), v.mean(1), start, TILE / across, _TILE_STEPS
  )
  filled = start < _LIMIT
  return Tiles(u, v, start, jnp.argsort(~filled), filled.sum())


def _march(scene, u, v, hits, pixel, num_steps):
  """Sphere traces rays [N] on from `hits`."""
  origin, direction = camera.rays(scene.view, u, v)

  def step(_, hits):
    gap = scene_lib.distance(scene, *along(origin, direction, hits.t))
    apart = jnp.maximum(gap, 0.0) / (pixel * hits.t)
    nearer = (apart < hits.best) & (hits.t < _LIMIT)
    return Hits(
      t=hits.t + 0.85 * gap,
      best_t=jnp.where(nearer, hits.t, hits.best_t),
      best=jnp.where(nearer, apart, hits.best),
    )

  return jax.lax.fori_loop(0, num_steps, step, hits)


def unfinished(hits: Hits) -> jax.Array:
  """Which rays have neither met anything nor left: bool, as `hits`."""
  return (hits.best > 0.3) & (hits.t < _LIMIT)


def _march_on(scene, tiles, hits, pixel):
  """Marches on the rays that are unfinished."""
  u, v = tiles.u.reshape(-1), tiles.v.reshape(-1)
  hits = Hits(*(h.reshape(-1) for h in hits))
  grazing = unfinished(hits)
  size = _GRAZING_CHUNK
  index = jnp.nonzero(grazing, size=len(u) + size, fill_value=len(u))[0]

  def draw(n, hits):
    some = jax.lax.dynamic_slice_in_dim(index, n * size, size)
    taken = Hits(*(h.at[some].get(mode='clip') for h in hits))
    at = (c.at[some].get(mode='clip') for c in (u, v))
    moved = _march(scene, *at, taken, pixel, _GRAZING_STEPS)
    return Hits(
      *(
        h.at[some].set(m, mode='drop') for h, m in zip(hits, moved, strict=True)
      )
    )

  num_chunks = (grazing.sum() + size - 1) // size
  hits = jax.lax.fori_loop(0, num_chunks, draw, hits)
  return Hits(*(h.reshape(-1, RAYS) for h in hits))


def over_tiles(tiles, chunk, step, result):
  """Runs step(tile numbers [chunk], result) -> result over filled tiles.

  The last chunk may reach into empty tiles, which is harmless.
  """

  def body(n, result):
    index = jax.lax.dynamic_slice_in_dim(tiles.order, n * chunk, chunk)
    return step(index, result)

  num_chunks = (tiles.num_filled + chunk - 1) // chunk
  return jax.lax.fori_loop(0, num_chunks, body, result)


def trace(scene, tiles: Tiles, across: int, chunk: int) -> Hits:
  """Where the rays meet the scene: Hits of [T, 64] arrays."""
  pixel = camera.picture_tangent(scene.view) / across

  def step(index, hits):
    u, v = tiles.u[index].reshape(-1), tiles.v[index].reshape(-1)
    quad_u, quad_v = (c.reshape(-1, QUAD * QUAD).mean(1) for c in (u, v))
    t = jnp.repeat(tiles.start[index], RAYS // (QUAD * QUAD))
    t = march_cones(scene, quad_u, quad_v, t, QUAD / across, _QUAD_STEPS)
    t = jnp.repeat(t, QUAD * QUAD)
    fresh = Hits(t, t, jnp.full_like(t, 1e3))
    moved = _march(scene, u, v, fresh, pixel, _RAY_STEPS)
    return Hits(
      *(
        h.at[index].set(m.reshape(-1, RAYS))
        for h, m in zip(hits, moved, strict=True)
      )
    )

  far = jnp.full(tiles.u.shape, _LIMIT)
  hits = Hits(far, far, jnp.full_like(far, 1e3))
  hits = over_tiles(tiles, chunk, step, hits)

  def march_on(_, hits):
    return _march_on(scene, tiles, hits, pixel)

  return jax.lax.fori_loop(0, _GRAZING_ROUNDS, march_on, hits)
