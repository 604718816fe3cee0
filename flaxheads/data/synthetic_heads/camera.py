"""The camera, the head's pose, and how points become pixels."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.data.synthetic_heads.motion import Motion

DISTANCE = 95.0  # cm from the head's middle to the camera
CENTRE_Y = -1.7  # cm, the height at the image's middle
EXTENT = 29.5  # cm across the image at the face's depth
FACE_Z = 6.0  # cm, the face's depth
PIVOT = (0.0, -4.0, 1.5)  # cm, the point that the head turns about


class View(NamedTuple):
  """Pose and camera of one frame."""

  rotation: jax.Array  # [3, 3], head to world
  shift: jax.Array  # [3], cm
  zoom: jax.Array  # scalar


def make_view(motion: Motion) -> View:
  """Pose and camera of one frame (scalar fields)."""
  cy, sy = jnp.cos(motion.yaw), jnp.sin(motion.yaw)
  cp, sp = jnp.cos(motion.pitch), jnp.sin(motion.pitch)
  cr, sr = jnp.cos(motion.roll), jnp.sin(motion.roll)
  one, zero = jnp.ones_like(cy), jnp.zeros_like(cy)
  yaw = jnp.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
  pitch = jnp.array([[one, zero, zero], [zero, cp, -sp], [zero, sp, cp]])
  roll = jnp.array([[cr, sr, zero], [-sr, cr, zero], [zero, zero, one]])
  # Exact products also where the matrix unit rounds its inputs.
  with jax.default_matmul_precision('float32'):
    rotation = yaw @ pitch @ roll
  shift = jnp.stack([motion.shift_x, motion.shift_y, motion.shift_z])
  return View(rotation, shift, motion.zoom)


def rotate(matrix, x, y, z):
  """Matrix @ (x, y, z), elementwise over arrays."""
  return tuple(m[0] * x + m[1] * y + m[2] * z for m in matrix)


def head_to_world(view, x, y, z):
  """Points of the head's frame in the world's."""
  px, py, pz = PIVOT
  x, y, z = rotate(view.rotation, x - px, y - py, z - pz)
  return x + px + view.shift[0], y + py + view.shift[1], z + pz + view.shift[2]


def world_to_head(view, x, y, z):
  """The inverse of head_to_world."""
  px, py, pz = PIVOT
  x, y, z = rotate(
    view.rotation.T,
    x - px - view.shift[0],
    y - py - view.shift[1],
    z - pz - view.shift[2],
  )
  return x + px, y + py, z + pz


def world_to_body(view, x, y, z):
  """The body follows the head's shift, but not its turns."""
  return tuple(c - 0.8 * s for c, s in zip((x, y, z), view.shift, strict=True))


def body_to_world(view, x, y, z):
  """The inverse of world_to_body."""
  return tuple(c + 0.8 * s for c, s in zip((x, y, z), view.shift, strict=True))


def project(view, x, y, z, image_size):
  """World points, cm, to pixels (origin: the image's upper left corner)."""
  focal = image_size * view.zoom * (DISTANCE - FACE_Z) / EXTENT
  scale = focal / (DISTANCE - z)
  half = 0.5 * image_size
  return half + scale * x, half - scale * (y - CENTRE_Y)


def picture_grid(num_across):
  """Middles of num_across^2 pixels: u across, v up, -0.5 to 0.5; each [N]."""
  grid = (jnp.arange(num_across, dtype=jnp.float32) + 0.5) / num_across - 0.5
  v, u = (c.reshape(-1) for c in jnp.meshgrid(-grid, grid, indexing='ij'))
  return u, v


def rays(view, u, v):
  """Rays through places of the image.

  Args:
    view: the frame's View.
    u: across the image, -0.5 to 0.5: [N].
    v: up, -0.5 to 0.5: [N].

  Returns:
    The camera's place (3 scalars) and directions of length 1 (3 arrays [N]),
    both in the head's frame.
  """
  tangent = picture_tangent(view)
  x, y = u * tangent, v * tangent
  norm = jax.lax.rsqrt(x * x + y * y + 1.0)
  direction = rotate(view.rotation.T, x * norm, y * norm, -norm)
  return world_to_head(view, 0.0, CENTRE_Y, DISTANCE), direction


def picture_tangent(view):
  """The image's width at unit distance from the camera."""
  return EXTENT / (DISTANCE - FACE_Z) / view.zoom
