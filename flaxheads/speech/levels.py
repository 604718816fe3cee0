"""Removes steady noise from mel power and brings speech to one level.

Both follow the sound without looking ahead, so they serve live sound as well.
The network then need not learn every microphone, gain and hiss.
"""

from typing import NamedTuple

import numpy as np

from flaxheads.speech.features import FLOOR

# Per frame of 10 ms: shares of a new frame in the smoothed power.
_NOISE_SHARE, _LEVEL_SHARE = 0.12, 0.2
# Minimum tracking (after Martin 2001): the floor follows the smoothed power
# down at once, and up by so many decibels a second.
_RISE_DB, _START = 6.0, 1e-6
_MARGIN = 3.0  # smoothed noise lies above its minimum
_KEPT = 3e-3  # of the power, where there is nothing but noise
# The level follows the speech up at once, and down so many decibels a second.
_FALL_DB, _LEAST = 1.5, 1e-5
_TARGET = 3e-4  # mean power of the loudest syllables


class Levels(NamedTuple):
  """What is known of the sound so far.

  Attributes:
    smooth: [..., NUM_BANDS], smoothed power.
    floor: [..., NUM_BANDS], noise.
    loud: [...], smoothed power without noise, of all bands.
    peak: [...], level of the speech.
  """

  smooth: np.ndarray
  floor: np.ndarray
  loud: np.ndarray
  peak: np.ndarray


def start(first: np.ndarray) -> Levels:
  """The levels before a first frame, [..., NUM_BANDS]."""
  first = np.asarray(first, np.float64)
  none = np.zeros(first.shape[:-1])
  return Levels(first, np.minimum(first, _START), none, none + _LEAST)


def adjust(
  power: np.ndarray, levels: Levels | None = None
) -> tuple[np.ndarray, Levels | None]:
  """Subtracts the noise and divides by the level.

  Args:
    power: mel power [..., F, NUM_BANDS].
    levels: after the frames before; None: there are none.

  Returns:
    float32 [..., F, NUM_BANDS], and the levels after the last frame.
  """
  power = np.asarray(power, np.float64)
  adjusted = np.empty(power.shape, np.float32)
  if levels is None and power.shape[-2]:
    levels = start(power[..., 0, :])
  rise, fall = 10 ** (_RISE_DB / 1000), 10 ** (-_FALL_DB / 1000)
  for number in range(power.shape[-2]):
    frame = power[..., number, :]
    smooth = levels.smooth + _NOISE_SHARE * (frame - levels.smooth)
    # Digital silence has no floor that could rise again.
    floor = np.minimum(smooth, np.maximum(levels.floor * rise, FLOOR))
    clean = np.maximum(frame - _MARGIN * floor, _KEPT * frame)
    loud = levels.loud + _LEVEL_SHARE * (clean.mean(-1) - levels.loud)
    peak = np.maximum(np.maximum(loud, levels.peak * fall), _LEAST)
    adjusted[..., number, :] = clean * (_TARGET / peak)[..., None]
    levels = Levels(smooth, floor, loud, peak)
  return adjusted, levels
