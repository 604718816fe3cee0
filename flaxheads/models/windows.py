"""Windows about the faces of a batch: where they lie, cut out and put back."""

import jax
import jax.numpy as jnp

_UPWARDS = 0.06  # of the window: brows and lids need more room than chins


def window_origin(points, window_size: int, image_size: int, xp=jnp):
  """The upper left corner of a window with the face in its middle.

  Args:
    points: float [B, 68, 2], pixels.
    window_size: n.
    image_size: S, of the frames; the window lies in them.
    xp: numpy or jax.numpy.

  Returns:
    float32 [B, 2], whole pixels.
  """
  middle = (points.min(1) + points.max(1)) / 2
  middle -= xp.array([0.0, _UPWARDS * window_size], xp.float32)
  corner = xp.round(middle - window_size / 2)
  return xp.clip(corner, 0, image_size - window_size)


def cut(images, origin, window_size: int):
  """The windows of images: [B, S, S, C] -> [B, n, n, C]."""

  def one(image, corner):
    size = (window_size, window_size, image.shape[-1])
    return jax.lax.dynamic_slice(
      image, (corner[1], corner[0], jnp.int32(0)), size
    )

  return jax.vmap(one)(images, origin.astype(jnp.int32))


def paste(windows, images, origin):
  """Images [B, S, S, C] with windows [B, n, n, C] in their places."""

  def one(window, image, corner):
    at = (corner[1], corner[0], jnp.int32(0))
    return jax.lax.dynamic_update_slice(image, window, at)

  return jax.vmap(one)(windows, images, origin.astype(jnp.int32))
