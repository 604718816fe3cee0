"""An invisible watermark, put into frames on the device.

One still pattern for a whole clip or picture: what stands still survives H.264
and does not flicker. It is made for the clip: as the detector would read the
first frames without a mark, some bits would come out right by chance, and the
pattern spends its strength on the others (informed embedding: Miller, Doerr
and Cox, "Applying informed coding and embedding to design a robust
high-capacity watermark", 2004; the particular scheme is ours).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.provenance import carriers as table
from flaxheads.provenance.carriers import NUM_GROUPS, SIDE
from flaxheads.provenance.codes import Payload, encode

RMS = 1.97  # of the pattern, in steps of 256: 42.1 dB with the rounding
_STEPS = 24
_STRIDE = 1.5  # of a gradient step, of at most 2
FLAT = 2.0  # whitened contrast below which a place counts as flat
SPREAD = 3.0  # pixels of the canonical picture over which contrast is taken


def smoothing(size: int = SIDE) -> np.ndarray:
  """A Gaussian blur along one axis, float32 [size, size], rows of sum 1."""
  apart = np.arange(size)[:, None] - np.arange(size)
  rows = np.exp(-0.5 * (apart / SPREAD) ** 2)
  return (rows / rows.sum(1, keepdims=True)).astype(np.float32)


def _multiply(a, b):
  return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _sandwich(left, x, right):
  return _multiply(_multiply(left, x), right)


class _Reader:
  """The detector on a canonical picture, linear where contrast is known.

  Its transforms are [SIDE, SIDE] matrices; that of a pattern holds its chips.
  `adjoint` is what backpropagation through `read` would give.

  The pattern is as strong on flat places as on texture. One that hides there
  (contrast masking) hides from the detector as well: with a strength from 0.7
  to 1.2, half the size and crf 28 lost 7 of 42 difficult clips; without, none.
  """

  def __init__(self, transform):
    self.chips = table.carriers()
    self.cosine = jnp.asarray(table.basis(SIDE))  # orthonormal
    self.filter = jnp.asarray(table.whitening())
    blur = jnp.asarray(smoothing())
    contrast = _sandwich(blur, self.whiten(transform) ** 2, blur.T)
    self.weights = 1 / (contrast + FLAT**2)

  def to_picture(self, transform):
    return _sandwich(self.cosine.T, transform, self.cosine)

  def to_transform(self, picture):
    return _sandwich(self.cosine, picture, self.cosine.T)

  def whiten(self, transform):
    return self.to_picture(transform * self.filter)

  def read(self, transform):
    """A transform to a sum for each group, [NUM_GROUPS]."""
    heard = self.to_transform(self.weights * self.whiten(transform))
    values = heard[self.chips.rows, self.chips.columns]
    return jax.ops.segment_sum(
      values * self.chips.signs, self.chips.groups, NUM_GROUPS
    )

  def spread(self, values):
    """[NUM_GROUPS] to a transform with chips of that height."""
    chips = self.chips.signs * values[self.chips.groups]
    empty = jnp.zeros((SIDE, SIDE), jnp.float32)
    return empty.at[self.chips.rows, self.chips.columns].set(chips)

  def adjoint(self, values):
    """[NUM_GROUPS] to chips, the transpose of `read(chips)`."""
    heard = self.weights * self.to_picture(self.spread(values))
    chips = self.to_transform(heard) * self.filter
    return jnp.where(self.spread(jnp.ones(NUM_GROUPS)) != 0, chips, 0)


def _strength(transform):
  # The cosines are orthonormal: a transform is as strong as its picture.
  return jnp.sqrt(jnp.mean(transform**2))


@jax.jit
def _design(transform, bits):
  """The transform of the pattern, [SIDE, SIDE], for a picture's transform."""
  reader = _Reader(transform)
  heard = reader.read(transform)
  chips = reader.spread(bits)
  chips *= RMS / _strength(chips)
  # As loud as a blind mark would be without a picture: no bit needs more.
  target = jnp.mean(bits * reader.read(chips))
  probe = bits
  for _ in range(4):  # power iteration: the largest gain decides the stride
    gained = reader.read(reader.adjoint(probe))
    gain = jnp.linalg.norm(gained) / jnp.linalg.norm(probe)
    probe = gained / jnp.linalg.norm(gained)

  def step(_, chips):
    said = heard + reader.read(chips)
    lacking = jnp.maximum(0, target - bits * said)
    chips += _STRIDE / gain * reader.adjoint(bits * lacking)
    return chips * jnp.minimum(1, RMS / _strength(chips))

  return jax.lax.fori_loop(0, _STEPS, step, chips)


@functools.partial(jax.jit, static_argnames=('height', 'width'))
def _analyse(frames, height, width):
  luma = frames.astype(jnp.float32).mean(0) @ table.LUMA  # [H, W]
  return _sandwich(table.basis(height), luma, table.basis(width).T)


def make_pattern(frames, payload: Payload) -> jax.Array:
  """The pattern for a clip or picture.

  Args:
    frames: uint8 [F, H, W, 3], the first ones.
    payload: what it shall say.

  Returns:
    float32 [H, W], in steps of 256, of root mean square RMS at most.
  """
  height, width = frames.shape[1:3]
  bits = jnp.asarray(np.concatenate([encode(payload), table.pilots()]))
  transform = _design(_analyse(frames, height, width), bits)
  return _sandwich(table.synthesis(height), transform, table.synthesis(width).T)


@jax.jit
def add_pattern(frames, pattern) -> jax.Array:
  """Marks frames.

  Args:
    frames: uint8 [F, H, W, 3].
    pattern: float32 [H, W] of `make_pattern`.

  Returns:
    uint8 [F, H, W, 3].
  """
  marked = frames.astype(jnp.float32) + pattern[..., None]
  return jnp.clip(jnp.round(marked), 0, 255).astype(jnp.uint8)
