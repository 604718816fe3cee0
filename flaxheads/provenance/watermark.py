"""An invisible watermark: designed on the host, added on the device.

A whole clip or image has one static pattern, which survives H.264 and does not
flicker. The pattern is designed for the clip: in its unmarked first frames, the
detector reads some bits right by chance, and the pattern spends its strength on
the others (informed embedding: Miller, Doerr and Cox, "Applying informed coding
and embedding to design a robust high-capacity watermark", 2004; the particular
scheme is ours).
"""

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
SPREAD = 3.0  # pixels of the canonical image over which contrast is taken


def smoothing(size: int = SIDE) -> np.ndarray:
  """A Gaussian blur along one axis, float32 [size, size], rows of sum 1."""
  apart = np.arange(size)[:, None] - np.arange(size)
  rows = np.exp(-0.5 * (apart / SPREAD) ** 2)
  return (rows / rows.sum(1, keepdims=True)).astype(np.float32)


def _sandwich(left, x, right):
  return left @ x @ right


class _Reader:
  """The detector on a canonical image, linear where contrast is known.

  Its transforms are [SIDE, SIDE] matrices; that of a pattern holds its chips.
  `adjoint` is what backpropagation through `read` would give.

  The pattern is as strong on flat places as on texture. One that hides there
  (contrast masking) hides from the detector as well: with a strength from 0.7
  to 1.2, half the size and crf 28 lost 7 of 42 difficult clips; without, none.
  """

  def __init__(self, transform):
    self.chips = table.carriers()
    self.cosine = table.basis(SIDE)  # orthonormal
    self.filter = table.whitening()
    blur = smoothing()
    contrast = _sandwich(blur, self.whiten(transform) ** 2, blur.T)
    self.weights = 1 / (contrast + FLAT**2)

  def to_picture(self, transform):
    return _sandwich(self.cosine.T, transform, self.cosine)

  def to_transform(self, image):
    return _sandwich(self.cosine, image, self.cosine.T)

  def whiten(self, transform):
    return self.to_picture(transform * self.filter)

  def read(self, transform):
    """A transform to a sum for each group, [NUM_GROUPS]."""
    heard = self.to_transform(self.weights * self.whiten(transform))
    values = heard[self.chips.rows, self.chips.columns]
    sums = np.bincount(self.chips.groups, values * self.chips.signs, NUM_GROUPS)
    return sums.astype(np.float32)

  def spread(self, values):
    """[NUM_GROUPS] to a transform with chips of that height."""
    chips = self.chips.signs * values[self.chips.groups]
    transform = np.zeros((SIDE, SIDE), np.float32)
    transform[self.chips.rows, self.chips.columns] = chips
    return transform

  def adjoint(self, values):
    """[NUM_GROUPS] to chips, the transpose of `read(chips)`."""
    heard = self.weights * self.to_picture(self.spread(values))
    chips = self.to_transform(heard) * self.filter
    return np.where(self.spread(np.ones(NUM_GROUPS)) != 0, chips, 0)


def _strength(transform):
  # The cosines are orthonormal: a transform is as strong as its image.
  return np.sqrt(np.mean(transform**2))


def _design(transform, bits):
  """The transform of the pattern, [SIDE, SIDE], for an image's transform."""
  reader = _Reader(transform)
  heard = reader.read(transform)
  chips = reader.spread(bits)
  chips *= RMS / _strength(chips)
  # As loud as a blind mark would be without an image: no bit needs more.
  target = np.mean(bits * reader.read(chips))
  probe = bits
  for _ in range(4):  # power iteration: the largest gain decides the stride
    gained = reader.read(reader.adjoint(probe))
    gain = np.linalg.norm(gained) / np.linalg.norm(probe)
    probe = gained / np.linalg.norm(gained)

  for _ in range(_STEPS):
    said = heard + reader.read(chips)
    lacking = np.maximum(0, target - bits * said)
    chips = chips + _STRIDE / gain * reader.adjoint(bits * lacking)
    chips *= np.minimum(1, RMS / _strength(chips))
  return chips


def make_pattern(frames, payload: Payload) -> np.ndarray:
  """The pattern for a clip or image.

  Args:
    frames: uint8 [F, H, W, 3], the first ones.
    payload: what it shall say.

  Returns:
    float32 [H, W], in steps of 256, of root mean square RMS at most.
  """
  luma = np.asarray(frames).mean(0, dtype=np.float32) @ table.LUMA  # [H, W]
  height, width = luma.shape
  transform = _sandwich(table.basis(height), luma, table.basis(width).T)
  bits = np.concatenate([encode(payload), table.pilots()]).astype(np.float32)
  chips = _design(transform, bits)
  return _sandwich(table.synthesis(height), chips, table.synthesis(width).T)


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
