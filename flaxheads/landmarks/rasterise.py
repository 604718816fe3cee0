"""Rasterises landmark images on the device.

A pure, antialiased and differentiable function of the points, the same for
training, animation and evaluation. 68 points are 544 bytes to transfer,
instead of 3 * S * S.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxheads.landmarks import layout

_LINE_WIDTH = 1 / 100  # of the image size
_MIN_LINE_WIDTH = 1.2  # pixels


def line_width(image_size: int) -> float:
  """Width of the strokes in pixels."""
  return max(_LINE_WIDTH * image_size, _MIN_LINE_WIDTH)


def _coverage(distance, width):
  """Share of a pixel that a stroke covers, at a distance to its centre line."""
  return jnp.clip(width / 2 + 0.5 - distance, 0.0, 1.0)


def _distance(centres, start, direction, share):
  """Squared distance of every pixel to a segment.

  Args:
    centres: [S], of the pixels of a row or a column.
    start: [2].
    direction: [2], from the start to the end.
    share: [2], the direction over its squared length.

  Returns:
    [S, S].
  """
  x = centres[None, :] - start[0]  # [1, S]
  y = centres[:, None] - start[1]  # [S, 1]
  place = jnp.clip(x * share[0] + y * share[1], 0.0, 1.0)
  x, y = x - place * direction[0], y - place * direction[1]
  return x**2 + y**2


def _draw_one(points, image_size):
  centres = jnp.arange(image_size, dtype=jnp.float32) + 0.5
  starts = points[layout.SEGMENT_STARTS]
  directions = points[layout.SEGMENT_ENDS] - starts
  # No reduction over the axis of x and y: XLA for GPUs would make one Triton
  # fusion of it for each segment, and search for its tiling for minutes.
  squares = directions[:, 0] ** 2 + directions[:, 1] ** 2
  shares = directions / jnp.maximum(squares, 1e-6)[:, None]
  width = line_width(image_size)
  image = jnp.zeros((image_size, image_size, 3), jnp.float32)
  first = 0
  for (members, closed), colour in zip(
    layout.STROKES, layout.STROKE_COLOURS, strict=True
  ):
    last = first + len(members) - (not closed)
    # Segment by segment XLA makes one fusion; a minimum over an axis takes ten
    # times as long on CPUs.
    nearest = functools.reduce(
      jnp.minimum,
      [
        _distance(centres, starts[i], directions[i], shares[i])
        for i in range(first, last)
      ],
    )
    # The small constant keeps the square root differentiable at zero.
    cover = _coverage(jnp.sqrt(nearest + 1e-12), width)[..., None]
    image = image * (1 - cover) + cover * jnp.array(colour)
    first = last
  return 2 * image - 1


def rasterise_landmarks(points: jax.Array, image_size: int) -> jax.Array:
  """Rasterises the strokes of the 68-point layout on black.

  Args:
    points: float [..., 68, 2], (x, y) in pixels of the landmark image; points
      may lie outside of it.
    image_size: S, height and width.

  Returns:
    float32 [..., S, S, 3] in [-1, 1]. Differentiable in `points` wherever a
    stroke's edge crosses a pixel.
  """
  lead = points.shape[:-2]
  flat = points.reshape(-1, layout.NUM_POINTS, 2).astype(jnp.float32)
  images = jax.vmap(lambda p: _draw_one(p, image_size))(flat)
  return images.reshape(*lead, image_size, image_size, 3)


def face_mask(images: jax.Array) -> jax.Array:
  """A soft mask of the face.

  Args:
    images: landmark images of `rasterise_landmarks`, [..., S, S, 3].

  Returns:
    float32 [..., S, S, 1], 1 within a twentieth of the side of a stroke,
    falling to 0 over another tenth.
  """
  size = images.shape[-2]
  reach = max(1, round(size / 20))
  window = (2 * reach + 1, 2 * reach + 1)
  on = (images.max(-1, keepdims=True) > -0.9).astype(jnp.float32)
  near = nn.max_pool(on, window, padding='SAME')
  return nn.avg_pool(near, window, padding='SAME')
