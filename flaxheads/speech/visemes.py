"""Mouth shapes of speech sounds, blended in time by dominance functions.

A sound has a target for every control of the mouth, and a dominance that falls
off exponentially on both sides of it; the mouth is the mean of the targets,
weighted by dominance (Cohen and Massaro 1993, "Modeling coarticulation in
synthetic visual speech"). A /p/ closes the lips at any width of the
mouth; an /u/ rounds the sounds around it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CONTROLS = ('opening', 'width', 'jaw')


class Phoneme(NamedTuple):
  """A sound in time: ARPAbet name in lower case, and seconds."""

  name: str
  start: float
  end: float


class Viseme(NamedTuple):
  """How a mouth speaks a sound.

  Attributes:
    opening: of the lips; 0: closed, 1: as in a wide /a/. Negative: pressed.
    width: of the mouth; 0: at rest, 1: a spread /i/, -1: a rounded /u/.
    jaw: 0: closed, 1: as in a wide /a/.
    dominance: of the three targets.
    reach: seconds in which dominance falls to 1 / e.
  """

  opening: float
  width: float
  jaw: float
  dominance: tuple[float, float, float] = (1.0, 1.0, 1.0)
  reach: float = 0.07


_VOWELS = {
  # Opening, width, jaw. Unrounded sounds part the lips also where the jaw is
  # nearly closed, and show the teeth; lips close for labials and rounded ones.
  'aa': (1.0, 0.0, 1.0),
  'ae': (0.95, 0.4, 0.9),
  'ah': (0.75, 0.05, 0.65),
  'ao': (0.7, -0.5, 0.8),
  'ax': (0.5, 0.0, 0.4),
  'eh': (0.75, 0.4, 0.6),
  'er': (0.4, -0.3, 0.4),
  'ih': (0.5, 0.4, 0.35),
  'iy': (0.45, 0.8, 0.25),
  'uh': (0.35, -0.5, 0.4),
  'uw': (0.15, -0.9, 0.3),
}
_VOWEL = {'dominance': (1.0, 1.2, 1.0), 'reach': 0.08}
_LAX, _SHUT = (0.6, 0.25, 0.6), (7.0, 0.3, 1.0)
_CONSONANTS = {
  'b': Viseme(-0.35, 0.0, 0.15, _SHUT, 0.04),
  'f': Viseme(0.03, 0.1, 0.15, (4.0, 0.5, 1.0), 0.05),
  's': Viseme(0.35, 0.3, 0.1, (1.2, 0.4, 1.6), 0.06),
  'sh': Viseme(0.3, -0.6, 0.12, (1.2, 1.2, 1.6), 0.07),
  'th': Viseme(0.35, 0.1, 0.25, (0.9, 0.3, 1.0), 0.06),
  't': Viseme(0.38, 0.15, 0.2, _LAX, 0.05),
  'l': Viseme(0.45, 0.1, 0.35, _LAX, 0.05),
  'r': Viseme(0.3, -0.45, 0.3, (0.8, 0.9, 0.8), 0.06),
  'w': Viseme(0.06, -1.0, 0.25, (2.0, 2.0, 1.0), 0.07),
  'k': Viseme(0.5, 0.05, 0.35, (0.4, 0.15, 0.4), 0.05),
  'hh': Viseme(0.5, 0.0, 0.4, (0.2, 0.1, 0.2), 0.05),
  'y': Viseme(0.4, 0.6, 0.25, (0.8, 0.8, 0.8), 0.06),
}
_SAME = {
  **dict.fromkeys(('p', 'm'), 'b'),
  'v': 'f',
  'z': 's',
  **dict.fromkeys(('zh', 'ch', 'jh'), 'sh'),
  'dh': 'th',
  **dict.fromkeys(('d', 'n'), 't'),
  **dict.fromkeys(('g', 'ng'), 'k'),
}
# Diphthongs are two vowels, the first three fifths of the time.
_DIPHTHONGS = {
  'aw': ('aa', 'uh'),
  'ay': ('aa', 'ih'),
  'ey': ('eh', 'iy'),
  'ow': ('ao', 'uw'),
  'oy': ('ao', 'ih'),
}
_FIRST_PART = 0.6
PAUSE = 'pau'
BILABIALS = ('p', 'b', 'm')
_REST = Viseme(0.0, 0.0, 0.0, (1.0, 0.8, 1.0), 0.06)

VISEMES: dict[str, Viseme] = {
  **{name: Viseme(*shape, **_VOWEL) for name, shape in _VOWELS.items()},
  **_CONSONANTS,
  **{name: _CONSONANTS[like] for name, like in _SAME.items()},
  PAUSE: _REST,
}
PHONEMES = frozenset([*VISEMES, *_DIPHTHONGS])


def _segments(phonemes):
  """Splits diphthongs: (Viseme, start, end) each."""
  for name, start, end in phonemes:
    if name in _DIPHTHONGS:
      first, second = _DIPHTHONGS[name]
      middle = start + _FIRST_PART * (end - start)
      yield VISEMES[first], start, middle
      yield VISEMES[second], middle, end
    else:
      yield VISEMES[name], start, end


def mouth_of(phonemes: Sequence[Phoneme], times: np.ndarray) -> np.ndarray:
  """The mouth that speaks.

  Args:
    phonemes: in order, of names in PHONEMES; before and after them is silence.
    times: float [F], seconds.

  Returns:
    float32 [F, 3], the CONTROLS; opening and jaw are not negative.
  """
  total = np.zeros((len(times), len(CONTROLS)))
  weights = np.full((len(times), 1), 1e-6)
  weights = np.repeat(weights, len(CONTROLS), 1)
  for viseme, start, end in _segments(phonemes):
    # A long sound holds its shape; a short one has a peak in its middle.
    inner = 0.25 * (end - start)
    centre, hold = (start + end) / 2, (end - start) / 2 - inner
    distance = np.maximum(np.abs(times - centre) - hold, 0)
    near = np.exp(-distance / viseme.reach)[:, None]
    weight = near * viseme.dominance  # [F, 3]
    total += weight * viseme[:3]
    weights += weight
  mouth = total / weights
  mouth[:, [0, 2]] = np.maximum(mouth[:, [0, 2]], 0)
  return mouth.astype(np.float32)
