"""Where in an image the bits of the watermark are.

Our own scheme. The mark is in the cosine transform of the image's brightness,
in coordinates relative to its sides: frequency k is k / 2 cycles from edge to
edge, whatever the size in pixels. Each bit of the code word, and each pilot,
which locates the image, is spread over six frequencies, low to high, with
pseudorandom signs.
"""

import functools
import hashlib
from typing import NamedTuple

import numpy as np

from flaxheads.provenance.codes import NUM_CODE_BITS

SIDE = 128  # of the canonical image, and of its transform
NUM_PILOTS = 96
NUM_GROUPS = NUM_CODE_BITS + NUM_PILOTS
# Below 3 is the light of the whole image, above 60 what H.264 and an image
# of 64 pixels cannot keep; stripes along an axis would be seen.
_LOW, _HIGH, _OFF_AXIS = 3, 60, 2
# Images have a spectrum that falls with frequency, watermarks have not.
_WHITENING = 1.75
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


class Carriers(NamedTuple):
  """The chips, C of them, sorted by group.

  Attributes:
    rows: int [C], vertical frequency.
    columns: int [C], horizontal frequency.
    groups: int [C], which bit or pilot; code bits come first.
    signs: float32 [C] of ±1.
  """

  rows: np.ndarray
  columns: np.ndarray
  groups: np.ndarray
  signs: np.ndarray


def _digest(*values) -> bytes:
  # A hash and not a generator of random numbers: it never changes.
  return hashlib.sha256(repr(values).encode()).digest()


@functools.cache
def carriers() -> Carriers:
  """The same chips for everyone: detection is blind."""
  rows, columns = np.ogrid[:SIDE, :SIDE]
  square = rows**2 + columns**2
  used = (square >= _LOW**2) & (square <= _HIGH**2)
  used &= (rows >= _OFF_AXIS) & (columns >= _OFF_AXIS)
  chips = [(int(a), int(b)) for a, b in np.argwhere(used)]
  digests = {chip: _digest(*chip) for chip in chips}
  chips.sort(key=lambda c: (c[0] ** 2 + c[1] ** 2, digests[c]))
  chips = chips[: len(chips) // NUM_GROUPS * NUM_GROUPS]
  groups = []
  for start in range(0, len(chips), NUM_GROUPS):
    # A ring of frequencies: one chip for every group.
    ring = chips[start : start + NUM_GROUPS]
    order = sorted(range(NUM_GROUPS), key=lambda i: digests[ring[i]][8:])
    groups += list(np.argsort(order))
  signs = [1.0 - 2 * (digests[chip][0] & 1) for chip in chips]
  rows, columns = np.array(chips).T
  return Carriers(
    rows, columns, np.array(groups, np.int32), np.array(signs, np.float32)
  )


@functools.cache
def pilots() -> np.ndarray:
  """The known bits, float32 [NUM_PILOTS] of ±1."""
  bits = [_digest('pilot', i)[0] & 1 for i in range(NUM_PILOTS)]
  return 1 - 2 * np.array(bits, np.float32)


@functools.lru_cache(maxsize=64)
def basis(size: int) -> np.ndarray:
  """The cosines sampled at `size` pixels.

  With `basis(h) @ image @ basis(w).T` an image of [h, w] becomes its
  canonical transform, scaled so that its brightness stays what it is.

  Returns:
    float32 [SIDE, size]; rows beyond what `size` pixels can show are 0.
  """
  place = (np.arange(size) + 0.5) / size
  rows = np.cos(np.pi * np.arange(SIDE)[:, None] * place)
  rows *= np.sqrt(2 * SIDE) / size
  rows[0] /= np.sqrt(2)
  rows[size:] = 0
  return rows.astype(np.float32)


@functools.lru_cache(maxsize=64)
def synthesis(size: int) -> np.ndarray:
  """The way back: float32 [size, SIDE], of a canonical transform to pixels."""
  return np.ascontiguousarray(basis(size).T) * (size / SIDE)


def whitening(vertical: float = 1.0, horizontal: float = 1.0) -> np.ndarray:
  """The detector's filter, float32 [SIDE, SIDE], for a transform.

  Args:
    vertical: part of the marked image's height that the transform is of.
    horizontal: part of its width.
  """
  rows, columns = np.ogrid[:SIDE, :SIDE]
  radius = np.hypot(rows / vertical, columns / horizontal)
  band = (radius >= _LOW) & (radius <= _HIGH)
  return np.where(band, (radius / 30) ** _WHITENING, 0).astype(np.float32)
