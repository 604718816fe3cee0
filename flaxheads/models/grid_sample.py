"""Bilinear sampling of images at given places, zeros outside."""

import jax
import jax.numpy as jnp


def identity_grid(height: int, width: int):
  """Where each pixel is: float32 [H, W, 2], (x, y) in [-1, 1]."""
  x, y = jnp.meshgrid(jnp.linspace(-1, 1, width), jnp.linspace(-1, 1, height))
  return jnp.stack([x, y], -1)


def grid_sample(images, grid):
  """Bilinear sampling; zeros outside of the image.

  Args:
    images: float [B, H, W, C].
    grid: float [B, h, w, 2], (x, y); -1 is the centre of the first pixel, 1
      that of the last.

  Returns:
    [B, h, w, C].
  """
  return jax.vmap(_sample)(images, grid)


def _sample(image, grid):
  height, width, channels = image.shape
  sizes = jnp.array([width, height], grid.dtype)
  # The padding below is one pixel wide.
  place = jnp.clip((grid + 1) / 2 * (sizes - 1), -1, sizes)  # [h, w, 2]
  corner = jnp.floor(place)
  share = place - corner
  x, y = jnp.moveaxis(corner.astype(jnp.int32), -1, 0)
  padded = jnp.pad(image, ((1, 2), (1, 2), (0, 0)))
  flat, row = padded.reshape(-1, channels), width + 3
  first = (y + 1) * row + x + 1  # of the padded image
  share_x, share_y = share[..., :1], share[..., 1:]

  def between(index):
    left, right = flat[index], flat[index + 1]
    return left + share_x * (right - left)

  above, below = between(first), between(first + row)
  return above + share_y * (below - above)
