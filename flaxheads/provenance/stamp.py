"""Stamps the frames of a file: the visible label and the watermark."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from flaxheads.provenance.marks import Marks
from flaxheads.provenance.watermark import add_pattern, make_pattern

LABEL = 'synthetic'


@functools.lru_cache(maxsize=8)
def label_overlay(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
  """The visible label in the lower left corner.

  Returns:
    float32 [H, W, 1], its colour of 0 to 255, and [H, W, 1], its opacity.
  """
  font = ImageFont.load_default(max(8, min(height, width) // 14))
  colour = Image.new('L', (width, height), 0)
  opacity = Image.new('L', (width, height), 0)
  pad = max(2, height // 64)
  corner = (pad, height - pad)
  box = ImageDraw.Draw(colour).textbbox(corner, LABEL, font, anchor='lb')
  box = (box[0] - pad, box[1] - pad, box[2] + pad, box[3] + pad)
  ImageDraw.Draw(opacity).rectangle(box, 150)
  ImageDraw.Draw(colour).text(corner, LABEL, 255, font, anchor='lb')
  ImageDraw.Draw(opacity).text(corner, LABEL, 255, font, anchor='lb')
  return tuple(
    np.asarray(layer, np.float32)[..., None] / scale
    for layer, scale in ((colour, 1), (opacity, 255))
  )


@jax.jit
def _blend(frames, colour, opacity):
  mixed = frames.astype(jnp.float32) * (1 - opacity) + colour * opacity
  return jnp.round(mixed).astype(jnp.uint8)


class Stamp:
  """Label and watermark for the frames of one file, on the device.

  The first call makes the pattern; later calls use it.
  """

  def __init__(self, marks: Marks):
    self._marks = marks
    self._pattern = None

  def __call__(self, frames) -> jax.Array:
    """Marks frames.

    Args:
      frames: uint8 [F, H, W, 3], of one size in all calls.

    Returns:
      uint8 [F, H, W, 3], on the device.
    """
    frames = jnp.asarray(frames)
    if self._marks.label:
      frames = _blend(frames, *label_overlay(*frames.shape[1:3]))
    if self._marks.payload is None:
      return frames
    if self._pattern is None:
      self._pattern = make_pattern(frames, self._marks.payload)
    return add_pattern(frames, self._pattern)
