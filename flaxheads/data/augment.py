"""Random flips, affine transforms and colour jitter, sampled once per sample.

All K+1 frames of a sample share one transform, so that the embedder still sees
one person. Pixels from outside a frame repeat its edge. Reflection would show
a second head, which the network would learn.
"""

import functools
from typing import NamedTuple

import dm_pix as pix
import jax
import jax.numpy as jnp

from flaxheads.data.pixels import to_float
from flaxheads.landmarks import layout


class _Transform(NamedTuple):
  """The transform of one sample; scalars."""

  flip: jax.Array  # bool
  zoom: jax.Array  # 1: unchanged
  angle: jax.Array  # radians, clockwise in the image
  shift: jax.Array  # [2], (x, y) pixels
  brightness: jax.Array  # added to [0, 1]
  contrast: jax.Array  # factor about the sample's mean
  saturation: jax.Array  # factor


def _sample_transform(key, config, image_size):
  keys = jax.random.split(key, 7)

  def uniform(key, strength, shape=()):
    return jax.random.uniform(key, shape, minval=-strength, maxval=strength)

  return _Transform(
    flip=jax.random.bernoulli(keys[0]),
    zoom=1 + uniform(keys[1], config.scale),
    angle=jnp.deg2rad(uniform(keys[2], config.rotation)),
    shift=uniform(keys[3], config.shift * image_size, (2,)),
    brightness=uniform(keys[4], config.colour),
    contrast=1 + uniform(keys[5], config.colour),
    saturation=1 + uniform(keys[6], config.colour),
  )


def _rotation(angle):
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  return jnp.array([[cos, -sin], [sin, cos]])  # rotates (x, y), y downwards


def _interpolate(pixels, x, y):
  """Bilinear interpolation in float32; dm_pix would round integer input.

  Args:
    pixels: uint8 [S * S, C].
    x: columns, [S, S].
    y: rows, [S, S].

  Returns:
    float32 [C, S, S].
  """
  size = x.shape[0]
  x, y = jnp.clip(x, 0, size - 1), jnp.clip(y, 0, size - 1)
  left, above = jnp.floor(x), jnp.floor(y)

  def fetch(right, below):
    column = jnp.minimum(left + right, size - 1).astype(jnp.int32)
    row = jnp.minimum(above + below, size - 1).astype(jnp.int32)
    return pixels[row * size + column].transpose(2, 0, 1)

  corners = [fetch(*place) for place in ((0, 0), (1, 0), (0, 1), (1, 1))]
  # Transpose bytes: without the barrier XLA converts to float32 first.
  corners = jax.lax.optimization_barrier(corners)
  a, b, c, d = (corner.astype(jnp.float32) for corner in corners)
  upper, lower = a + (b - a) * (x - left), c + (d - c) * (x - left)
  return upper + (lower - upper) * (y - above)  # exact where all four are equal


def _move_frames(frames, transform):
  # uint8 [F, S, S, 3] to float32 in [0, 255]; pixel i is centred at i + 0.5.
  num_frames, size = frames.shape[:2]
  grid = jnp.arange(size) + 0.5 - size / 2
  x, y = jnp.meshgrid(grid - transform.shift[0], grid - transform.shift[1])
  back = _rotation(-transform.angle) / transform.zoom
  source_x = back[0, 0] * x + back[0, 1] * y + (size / 2 - 0.5)  # [S, S]
  source_y = back[1, 0] * x + back[1, 1] * y + (size / 2 - 0.5)
  # All frames and channels of a pixel lie together, so one gather fetches them.
  pixels = frames.transpose(1, 2, 0, 3).reshape(size * size, -1)  # [SS, 3F]
  moved = _interpolate(pixels, source_x, source_y)
  return moved.reshape(num_frames, 3, size, size).transpose(0, 2, 3, 1)


def _move_points(points, transform, size):
  forward = _rotation(transform.angle) * transform.zoom
  centred = points[..., :2] - size / 2
  moved_x = forward[0, 0] * centred[..., 0] + forward[0, 1] * centred[..., 1]
  moved_y = forward[1, 0] * centred[..., 0] + forward[1, 1] * centred[..., 1]
  moved = jnp.stack([moved_x, moved_y], -1) + size / 2 + transform.shift
  return jnp.concatenate([moved, points[..., 2:]], -1)


def _flip(frames, points, size, mirror):
  mirrored = points[..., mirror, :]
  mirrored = mirrored.at[..., 0].set(size - mirrored[..., 0])
  return pix.flip_left_right(frames), mirrored


def _saturate(frames, factor):
  """Scales the HSV saturation; hue and value stay.

  Works on the distance of each channel from the largest one and needs no hue.
  The compiled version of dm_pix computes a wrong hue where two channels are
  nearly equal.

  Args:
    frames: [..., 3] in [0, 1].
    factor: at least 0.

  Returns:
    The same shape, in [0, 1].
  """
  largest = frames.max(-1, keepdims=True)
  chroma = largest - frames.min(-1, keepdims=True)
  most = largest / jnp.maximum(chroma, 1e-6)  # gives a saturation of 1
  return largest - (largest - frames) * jnp.minimum(factor, most)


def _colour(frames, transform):
  # One tall image [F * S, S, 3]: the mean is that of the sample, so a colour
  # changes in the same way in every frame.
  tall = (frames.reshape(-1, *frames.shape[2:]) + 1) / 2
  tall = pix.adjust_brightness(tall, transform.brightness)
  tall = pix.adjust_contrast(tall, transform.contrast)
  tall = _saturate(jnp.clip(tall, 0, 1), transform.saturation)
  return (jnp.clip(tall, 0, 1) * 2 - 1).reshape(frames.shape)


def _augment_sample(key, frames, points, config, mirror):
  size = frames.shape[1]
  transform = _sample_transform(key, config, size)
  if config.scale or config.shift or config.rotation:
    frames = _move_frames(frames, transform)
    points = _move_points(points, transform, size)
  if config.flip:
    flipped = _flip(frames, points, size, mirror)
    frames = jnp.where(transform.flip, flipped[0], frames)
    points = jnp.where(transform.flip, flipped[1], points)
  frames = to_float(frames)
  if config.colour:
    frames = _colour(frames, transform)
  return frames, points


def augment(keys, frames, points, config, mirror=layout.MIRROR):
  """Augments a batch with a separate transform for every sample.

  Args:
    keys: jax.random keys [B], one for each sample, so that a sample does not
      depend on its neighbours in the batch.
    frames: uint8 [B, K+1, S, S, 3].
    points: float [B, K+1, 68, 2], (x, y) in pixels. Other points and further
      columns, such as a depth, are allowed; the columns stay as they are.
    config: a `config.AugmentConfig`, or an object with the same fields. A
      strength of 0 disables that transform.
    mirror: the permutation of the points that mirrors them.

  Returns:
    (frames, points) of the same shapes. Frames are float32 in [-1, 1]; points
    may lie outside the image.
  """
  one = functools.partial(_augment_sample, config=config, mirror=mirror)
  return jax.vmap(one)(keys, frames, points)
