"""The marks on a file that shows a generated head."""

import dataclasses
import functools
import secrets
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from flaxheads.provenance import credentials
from flaxheads.provenance.codes import MODEL_BITS, RANDOM_BITS, Payload
from flaxheads.provenance.identity import Identity, installation
from flaxheads.provenance.watermark import add_pattern, make_pattern

LABEL = 'synthetic'


def new_payload(model_sha256: str) -> Payload:
  """A payload with the model's identity and fresh random bits.

  Args:
    model_sha256: hexadecimal; '' where it is not known, which becomes 0.
  """
  model_id = int(model_sha256[: MODEL_BITS // 4] or '0', 16)
  return Payload(model_id, secrets.randbits(RANDOM_BITS))


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


@dataclasses.dataclass(frozen=True)
class Marks:
  """The marks of the files of one run.

  Attributes:
    identity: who signs; None: no credentials.
    payload: of the watermark; None: none.
    facts: JSON values for the manifest.
    label: whether to burn in a small label.
    source_type: see credentials.py.
    turned_off_by: the flag that left out watermark and signature, if any.
  """

  identity: Identity | None = None
  payload: Payload | None = None
  facts: dict = dataclasses.field(default_factory=dict)
  label: bool = False
  source_type: str = credentials.TRAINED
  turned_off_by: str = ''

  def composite(self) -> 'Marks':
    """The same for a file that shows generated heads beside or in images."""
    return dataclasses.replace(self, source_type=credentials.COMPOSITE)

  def seal(self, path: Path, title: str) -> None:
    """Signs a written file; for `VideoWriter` and `write_png`.

    Args:
      path: its temporary name.
      title: the name that it will have.
    """
    if self.identity is None:
      return
    facts = {**self.facts, 'visible_label': self.label}
    if self.payload:
      facts['payload'] = str(self.payload)
    origin = credentials.Origin(self.source_type, facts)
    credentials.sign(path, origin, self.identity, title)

  def describe(self) -> dict:
    """For the report: what the files carry."""
    off = {'turned_off_by': self.turned_off_by} if self.turned_off_by else {}
    return {
      **off,
      'credentials': self.identity is not None,
      'watermark': str(self.payload) if self.payload else None,
      'visible_label': self.label,
    }


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


UNMARKED = Marks()


def default_marks(
  model_sha256: str = '',
  facts: dict | None = None,
  signer: Identity | None = None,
  label: bool = False,
) -> Marks:
  """A watermark and a signature.

  Args:
    model_sha256: of the model that generates the frames.
    facts: JSON values for the manifest.
    signer: who signs; None: this installation.
    label: whether to burn in a visible label.
  """
  payload = new_payload(model_sha256)
  return Marks(signer or installation(), payload, facts or {}, label)
