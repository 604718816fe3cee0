"""Warps images by the head mesh, on the device.

`warp_field` rasterises the mesh at its target place and says where in the
source every pixel comes from; `sample_bilinear` reads it there. Both are pure,
batched and independent of the backend.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.landmarks import head_mesh

# Triangles per iteration of the loop on an accelerator, which then reads and
# writes the z-buffer once for all of them. A CPU gains 5 % by it, and compiles
# twice as long.
_UNROLL = 6
_FAR_BEHIND = -1e3  # cm, behind every depth
_TURNED_AWAY = 20.0  # cm by which triangles that face backwards lie behind
EDGE = 1e-4  # share of a triangle by which it overlaps its neighbours
# The source's area for a pixel of the target, from which on the source shows
# the pixel in part, and fully.
_UNSEEN_AREA, _SEEN_AREA = 0.02, 0.08
_MAX_LOG_STRETCH = 3.0
SUBCOLUMNS = (-0.25, 0.25)  # of a pixel, for labels


class WarpField(NamedTuple):
  """Where the pixels of a window come from.

  Attributes:
    xy: float32 [B, h, w, 2], the place in the source, pixels of the image.
    labels: float32 [B, h, w, 3], antialiased in [0, 1]: inside of the mouth,
      an eye, and background.
    log_stretch: float32 [B, h, w, 1], log2 of source pixels for one target
      pixel, as a length, in [-3, 3]; 0 where nothing is stretched.
    seen: float32 [B, h, w, 1], 1 where the source shows the pixel, 0 where it
      hides it, as the far cheek of a turned head.
  """

  xy: jax.Array
  labels: jax.Array
  log_stretch: jax.Array
  seen: jax.Array


def warp_field(
  source: jax.Array,
  target: jax.Array,
  image_size: int,
  origin: jax.Array | None = None,
  size: int | None = None,
  step: float = 1.0,
) -> WarpField:
  """Maps a window of the target to the source.

  The frontmost triangle wins, by its depth in the target; triangles that face
  backwards lie behind those that face the camera.

  Args:
    source: float32 [B, V, 3], of `head_mesh.mesh_vertices`, pixels of the
      source image; its depth is not read.
    target: float32 [B, V, 3], of the target frames, of the same image size.
    image_size: S, pixels: where the border is.
    origin: float32 [B, 2], the window's upper left corner in pixels of the
      target; None for (0, 0).
    size: h = w, samples along a side of the window; None for S / step.
    step: pixels between samples.

  Returns:
    WarpField of the window. No gradient flows through it.
  """
  size = round(image_size / step) if size is None else size
  source, target = jax.lax.stop_gradient((source, target))
  if origin is None:
    origin = jnp.zeros((source.shape[0], 2), jnp.float32)
  source, target = head_mesh.place_vertices(source, target, image_size, jnp)

  def one(source, target, origin):
    centres = (jnp.arange(size, dtype=jnp.float32) + 0.5) * step
    x, y = centres + origin[0], centres + origin[1]
    xy, area = _rasterise(source, target, x, y)
    labels = _rasterise_labels(target[:, :2], x, y, step)
    return WarpField(xy, labels, *stretch_and_seen(area))

  return jax.vmap(one)(source, target, jax.lax.stop_gradient(origin))


def stretch_and_seen(area, xp=jnp):
  """`log_stretch` and `seen` of a WarpField, [..., 1] each.

  Args:
    area: [...], the source's area for a unit of the target's.
    xp: numpy or jax.numpy.
  """
  stretch = 0.5 * xp.log2(xp.maximum(area, 1e-3))
  stretch = xp.clip(stretch, -_MAX_LOG_STRETCH, _MAX_LOG_STRETCH)
  seen = (area - _UNSEEN_AREA) / (_SEEN_AREA - _UNSEEN_AREA)
  return stretch[..., None], xp.clip(seen, 0.0, 1.0)[..., None]


def _unroll():
  return 1 if jax.default_backend() == 'cpu' else _UNROLL


def _cross(a, b):
  return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def triangle_table(source, target, xp=jnp):
  """Rows for the rasterisers, float32 [M, 17], in numpy or jax.numpy.

  Three barycentric coordinates as coefficients of (x, y, 1), how far the
  corners are from the source's, the source's signed area for a unit of the
  target's, the depth.
  """
  triangles = head_mesh.topology().triangles
  source = source[triangles]  # [M, 3, 2]
  places, depth = target[triangles, :2], target[triangles, 2].mean(-1)
  edges = xp.roll(places, -1, 1) - xp.roll(places, 1, 1)  # opposite a corner
  following = xp.roll(places, -1, 1)
  area = _cross(places[:, 1] - places[:, 0], places[:, 2] - places[:, 0])
  source_area = _cross(source[:, 1] - source[:, 0], source[:, 2] - source[:, 0])
  flat = xp.abs(area) < 1e-3  # square pixels, twice
  scale = xp.where(flat, 0.0, 1 / xp.where(flat, 1.0, area))
  # The coordinate of corner i: twice the area of (next, previous, point).
  a, b = edges[..., 1], -edges[..., 0]
  c = -(following[..., 0] * a + following[..., 1] * b)
  c = c * scale[:, None] - flat[:, None]  # a flat triangle is nowhere
  bary = xp.stack([a * scale[:, None], b * scale[:, None], c], -1)
  depth = depth - xp.where(area < 0, _TURNED_AWAY, 0.0)
  # A triangle that is turned away in one image only shows nothing.
  stretch = source_area * scale
  return xp.concatenate(
    [
      bary.reshape(-1, 9),
      (source - places).reshape(-1, 6),
      stretch[:, None],
      depth[:, None],
    ],
    -1,
  )


def _rasterise(source, target, x, y):
  """A z-buffer over the triangles.

  Args:
    source: [V + NUM_BORDER, 2].
    target: [V + NUM_BORDER, 3].
    x: [w], places of the columns.
    y: [h], places of the rows.

  Returns:
    The place in the source [h, w, 2], and the source's area for a unit of the
    target's [h, w]. Pixels outside of the mesh stay where they are.
  """
  x, y = jnp.broadcast_arrays(x[None, :], y[:, None])

  def add(buffer, row):
    nearest, at_x, at_y, area = buffer
    first, second, third = (
      row[3 * i] * x + row[3 * i + 1] * y + row[3 * i + 2] for i in range(3)
    )
    inside = jnp.minimum(jnp.minimum(first, second), third) > -EDGE
    wins = inside & (row[16] > nearest)
    # Offsets are interpolated: where nothing moves, nothing is rounded.
    here_x = x + first * row[9] + second * row[11] + third * row[13]
    here_y = y + first * row[10] + second * row[12] + third * row[14]
    buffer = (
      jnp.where(wins, row[16], nearest),
      jnp.where(wins, here_x, at_x),
      jnp.where(wins, here_y, at_y),
      jnp.where(wins, row[15], area),
    )
    return buffer, None

  empty = (jnp.full_like(x, _FAR_BEHIND), x, y, jnp.ones_like(x))
  table = triangle_table(source, target)
  (_, at_x, at_y, area), _ = jax.lax.scan(add, empty, table, unroll=_unroll())
  return jnp.stack([at_x, at_y], -1), area


def _cover(outline, x, y, step):
  """The share of every pixel that lies in an outline, [h, w].

  Signed areas under the edges of the outline, exact along the columns: a shut
  mouth, or one whose lips cross, covers nothing.
  """
  edges = jnp.concatenate([outline, jnp.roll(outline, -1, 0)], -1)  # [E, 4]

  def add(total, edge):
    x0, y0, x1, y1 = edge
    run = x1 - x0
    slope = (y1 - y0) / jnp.where(jnp.abs(run) < 1e-6, 1.0, run)
    for shift in SUBCOLUMNS:
      column = x + shift * step
      crosses = (column >= jnp.minimum(x0, x1)) & (column < jnp.maximum(x0, x1))
      sign = jnp.where(crosses, jnp.sign(run), 0.0)  # [w]
      height = (y0 + slope * (column - x0))[None, :] - y[:, None]
      total += sign[None, :] * jnp.clip(0.5 - height / step, 0.0, 1.0)
    return total, None

  nothing = jnp.zeros((len(y), len(x)), x.dtype)
  total, _ = jax.lax.scan(add, nothing, edges, unroll=_unroll())
  return jnp.clip(total / len(SUBCOLUMNS), 0.0, 1.0)


def _rasterise_labels(target, x, y, step):
  """[h, w, 3], mouth, eyes and background, antialiased."""
  head, mouth, *eyes = (
    _cover(target[jnp.array(loop)], x, y, step)
    for loop in head_mesh.topology().outlines
  )
  eyes = jnp.clip(sum(eyes), 0.0, 1.0)
  return jnp.stack([mouth, eyes, 1 - head], -1)


def sample_bilinear(image: jax.Array, xy: jax.Array) -> jax.Array:
  """Reads images at any place; beyond the border, its nearest pixel.

  Args:
    image: float [B, H, W, C]. No gradient flows into it.
    xy: float32 [B, h, w, 2], pixels of the image, whose centres lie at
      half-integers. Differentiable.

  Returns:
    float [B, h, w, C].
  """
  height, width, channels = image.shape[1:]
  x = jnp.clip(xy[..., 0] - 0.5, 0.0, width - 1.0)
  y = jnp.clip(xy[..., 1] - 0.5, 0.0, height - 1.0)
  # The last pixel is reached from the one before.
  left = jnp.minimum(jnp.floor(x), max(width - 2, 0))
  top = jnp.minimum(jnp.floor(y), max(height - 2, 0))
  corner = (top * width + left).astype(jnp.int32)
  flat = jax.lax.stop_gradient(image.reshape(-1, height * width, channels))

  def read(offset):
    place = jnp.minimum(corner + offset, height * width - 1)
    return jax.vmap(lambda pixels, i: pixels[i])(flat, place)

  across, down = (x - left)[..., None], (y - top)[..., None]
  upper = read(0) * (1 - across) + read(1) * across
  lower = read(width) * (1 - across) + read(width + 1) * across
  return upper * (1 - down) + lower * down
