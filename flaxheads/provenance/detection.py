"""Finding the watermark without the original.

The frames are averaged, whitened and weighted as watermark.py expects. The
pilots tell how an image was cropped or mirrored: their pattern is searched for
at every position and scale of a grid.

At most MAX_ATTEMPTS words are tried, and a found word has passed a CRC of 24
bits. In a file without a mark, a word is found with probability at most
MAX_ATTEMPTS / 2^24, 9e-7.
"""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from flaxheads.provenance import carriers as table
from flaxheads.provenance.carriers import NUM_GROUPS, SIDE
from flaxheads.provenance.codes import (
  CRC_BITS,
  NUM_CODE_BITS,
  Payload,
  decode,
  encode,
)
from flaxheads.provenance.watermark import FLAT, smoothing

_SMALLEST = 98  # of SIDE: cuts of up to 23 % of a side are looked for
_NUM_CUTS = 3
# Samples along a side: of 30 cycles more say nothing new, and an image of one
# pixel by a hundred million would take a hundred gigabytes of cosines.
MAX_SIDE = 8192
# Words whose CRC is checked, for each reading.
_WORDS_WHOLE, _WORDS_MIRRORED, _WORDS_CUT = 8, 1, 2
MAX_ATTEMPTS = _WORDS_WHOLE + _WORDS_MIRRORED + _NUM_CUTS * _WORDS_CUT
FALSE_POSITIVE_RATE = MAX_ATTEMPTS / 2**CRC_BITS


class Detection(NamedTuple):
  """A watermark that was found.

  Attributes:
    payload: what it says.
    agreement: share of the code bits that were read as they were written; 0.5
      is chance, and the code needs about 0.75.
    how: 'whole', 'mirrored' or 'cut'.
  """

  payload: Payload
  agreement: float
  how: str


class _Cut(NamedTuple):
  """Where an image lies in the canonical one, pixels of that."""

  top: int
  left: int
  height: int
  width: int


def average(frames: Iterable[np.ndarray]) -> np.ndarray:
  """Mean brightness of frames uint8 [H, W, 3] of one size, float32 [H, W]."""
  total, count = 0.0, 0
  for frame in frames:
    total, count = total + frame.astype(np.float32) @ table.LUMA, count + 1
  if not count:
    raise ValueError('average: no frames')
  return total / count


def _thinned(image: np.ndarray, axis: int) -> np.ndarray:
  """Means of neighbours along an axis that is longer than MAX_SIDE."""
  size = image.shape[axis]
  if size <= MAX_SIDE:
    return image
  edges = np.linspace(0, size, MAX_SIDE + 1).astype(np.int64)
  sums = np.add.reduceat(image, edges[:-1], axis)
  return sums / np.expand_dims(np.diff(edges).astype(np.float32), 1 - axis)


def _transform(image: np.ndarray) -> np.ndarray:
  image = _thinned(_thinned(image, 0), 1)
  height, width = image.shape
  return table.basis(height) @ image @ table.basis(width).T


def _prepare(transform: np.ndarray, height: int, width: int) -> np.ndarray:
  """Whitened and weighted, [height, width], of a transform of the image."""
  filtered = transform * table.whitening(height / SIDE, width / SIDE)
  image = table.synthesis(height) @ filtered @ table.synthesis(width).T
  contrast = smoothing(height) @ image**2 @ smoothing(width).T
  return image / (contrast + FLAT**2)


def _listen(prepared: np.ndarray) -> np.ndarray:
  """[SIDE, SIDE] to the code bits with noise, [NUM_CODE_BITS].

  The pilots of each ring of frequencies tell how well it came through, and a
  ring counts half for what it is and half for that.
  """
  chips = table.carriers()
  cosine = table.basis(SIDE)
  values = (cosine @ prepared @ cosine.T)[chips.rows, chips.columns]
  rings = np.empty((len(chips.rows) // NUM_GROUPS, NUM_GROUPS), np.float32)
  ring = np.arange(len(chips.rows)) // NUM_GROUPS
  rings[ring, chips.groups] = values * chips.signs
  heard = rings[:, NUM_CODE_BITS:] * table.pilots()  # [R, NUM_PILOTS]
  trust = np.maximum(heard.mean(1), 0) / (heard.var(1) + 1e-12)
  share = 0.5 + 0.5 * trust / max(float(trust.mean()), 1e-12)
  return share @ rings[:, :NUM_CODE_BITS]


def _read_whole(transform: np.ndarray) -> np.ndarray:
  return _listen(_prepare(transform, SIDE, SIDE))


def _read_cut(transform: np.ndarray, cut: _Cut) -> np.ndarray:
  canvas = np.zeros((SIDE, SIDE), np.float32)
  canvas[cut.top : cut.top + cut.height, cut.left : cut.left + cut.width] = (
    _prepare(transform, cut.height, cut.width)
  )
  return _listen(canvas)


class _Places(NamedTuple):
  """What the pilots look like in every cut that is looked for, P of them.

  A cut is a place along one axis and one along the other: they are the same.

  Attributes:
    sizes: int [P], pixels of the canonical image that are left.
    starts: int [P], and where they begin.
    rows: float32 [P * L, SIDE], the pilots there, for a transform on the right.
    columns: float32 [P, L * SIDE], the cosines that they are heard with.
  """

  sizes: np.ndarray
  starts: np.ndarray
  rows: np.ndarray
  columns: np.ndarray


def pilot_transform() -> np.ndarray:
  """What the pilots look like after `_prepare`, float32 [SIDE, SIDE].

  Unwhitened: the weights and the filter have made the noise white.
  """
  chips = table.carriers()
  is_pilot = chips.groups >= NUM_CODE_BITS
  bits = table.pilots()[chips.groups[is_pilot] - NUM_CODE_BITS]
  transform = np.zeros((SIDE, SIDE), np.float32)
  where = chips.rows[is_pilot], chips.columns[is_pilot]
  transform[where] = chips.signs[is_pilot] * bits
  return transform


@functools.cache
def _places() -> _Places:
  pilots = pilot_transform()  # no frequency beyond L on either axis
  used = 1 + max(int(axis.max()) for axis in np.nonzero(pilots))
  pilots = pilots[:used, :used]
  cosine = table.basis(SIDE)[:used]
  places = [
    (size, start)
    for size in range(_SMALLEST, SIDE + 1)
    for start in range(SIDE + 1 - size)
  ]
  heard_with = np.stack(
    [
      cosine[:, start : start + size] @ table.synthesis(size)
      for size, start in places
    ]
  )  # [P, L, SIDE]
  rows = (pilots.T @ heard_with).reshape(-1, SIDE)
  columns = heard_with.reshape(len(places), -1)
  return _Places(*np.array(places).T, rows, columns)


def _hear_pilots(own: np.ndarray) -> np.ndarray:
  """How loud the pilots are wherever an image may have been cut.

  A cut of h by w pixels that begins at (t, l) is heard as the sum of
  C = S_h X S_w^T times the pilots' image at [t : t + h, l : l + w], where X
  is `own` and S the synthesis. Both are products of cosines, so that one
  product of matrices gives all places of all sizes.

  Args:
    own: the prepared image's transform, [SIDE, SIDE].

  Returns:
    float32 [P, P], vertical places by horizontal ones, for a C of norm 1.
  """
  places = _places()
  heard = (places.rows @ own).reshape(len(places.sizes), -1) @ places.columns.T
  # The cosines of `size` pixels are orthogonal, and those beyond are 0.
  energy = np.cumsum(np.cumsum(own.astype(np.float64) ** 2, 0), 1) / SIDE**2
  sizes = places.sizes
  energy = energy[np.ix_(sizes - 1, sizes - 1)] * np.outer(sizes, sizes)
  return heard / (np.sqrt(energy) + 1e-9).astype(np.float32)


def _find_cuts(transform: np.ndarray) -> list[_Cut]:
  """The places where the pilots are heard best, best first."""
  prepared = _prepare(transform, SIDE, SIDE)
  own = table.basis(SIDE) @ prepared @ table.basis(SIDE).T
  heard, places = _hear_pilots(own), _places()
  # Of every size the best place, and the others nowhere.
  first = np.flatnonzero(places.starts == 0)
  of_size = np.maximum.reduceat(np.maximum.reduceat(heard, first, 0), first, 1)
  which = places.sizes - _SMALLEST
  heard[heard < of_size[np.ix_(which, which)]] = -np.inf
  best = []
  while len(best) < _NUM_CUTS:
    at = list(np.unravel_index(heard.argmax(), heard.shape))
    cut = _Cut(*places.starts[at].tolist(), *places.sizes[at].tolist())
    best.append(cut)
    # Neighbours on the grid say the same: let others be heard as well.
    near = [
      (abs(places.starts - start) <= 2) & (abs(places.sizes - size) <= 2)
      for start, size in zip(cut[:2], cut[2:], strict=True)
    ]
    heard[np.ix_(*near)] = -np.inf
  return best


def _decode(soft: np.ndarray, count: int, how: str) -> Detection | None:
  payload = decode(soft, count)
  if payload is None:
    return None
  agreement = float(np.mean(np.sign(soft) == encode(payload)))
  return Detection(payload, agreement, how)


def detect(image: np.ndarray, search: bool = True) -> Detection | None:
  """Looks for a watermark.

  Args:
    image: float [H, W], brightness of 0 to 255: of an image, or the average
      of a clip.
    search: also look for an image that was cut, which takes ten times as long.

  Returns:
    What was found, or None.
  """
  transform = _transform(np.asarray(image, np.float32))
  whole = _decode(_read_whole(transform), _WORDS_WHOLE, 'whole')
  if whole:
    return whole
  # Mirrored, cosines of odd frequency change their sign.
  mirrored = transform * (1 - 2.0 * (np.arange(SIDE) % 2))
  found = _decode(_read_whole(mirrored), _WORDS_MIRRORED, 'mirrored')
  if found or not search:
    return found
  for cut in _find_cuts(transform):
    found = _decode(_read_cut(transform, cut), _WORDS_CUT, 'cut')
    if found:
      return found
  return None
