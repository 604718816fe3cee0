"""Predicts the motion of the mouth from the sound of a file, in one pass."""

import os
from typing import NamedTuple

import numpy as np
from absl import logging

from flaxheads.data.sound import RATE, read_sound
from flaxheads.errors import UserError
from flaxheads.speech import features
from flaxheads.speech.network import STRIDE, load_params, output_times, predict

_SILENT_DB = -55.0  # of full scale: nothing in the file is louder
# Standard deviation of the level, dB: 10 to 18 in 15 recordings of speech,
# below 1 in noise, 4 to 7 in music.
_STEADY_DB = 8.0
_LEAST_SECONDS = 0.1


class Heard(NamedTuple):
  """Speech, as the face needs it.

  Attributes:
    mouth: float32 [F, 3], visemes.CONTROLS.
    loudness: float32 [F], 0: silence.
    times: float64 [F], seconds.
    seconds: how long the sound is.
    remarks: messages for the user.
  """

  mouth: np.ndarray
  loudness: np.ndarray
  times: np.ndarray
  seconds: float
  remarks: list[str]


def listen(path: str | os.PathLike) -> Heard:
  """Reads a file in chunks, in memory that does not hold its sound.

  Args:
    path: a sound file, or a video with sound.

  Raises:
    UserError: the file cannot be read, has no sound, or is too short.
  """
  count, levels = 0, []

  def counted(pieces):
    nonlocal count
    for piece in pieces:
      count += len(piece)
      yield piece

  def with_levels(powers):
    for power in powers:
      levels.append(power.mean(1))
      yield power

  samples = features.downsample(counted(read_sound(path)))
  mouth = predict(load_params(), with_levels(features.stream(samples)))
  seconds = count / RATE
  if seconds < _LEAST_SECONDS or not len(mouth):
    raise UserError(
      f'{path}: holds {seconds:.2g} s of sound; give at least '
      f'{_LEAST_SECONDS:g} s of speech'
    )
  decibels = _to_decibels(np.concatenate(levels))
  remarks = [f'{path}: {text}' for text in judge(decibels)]
  for remark in remarks:
    logging.warning('%s', remark)
  decibels = decibels[: STRIDE * len(mouth)].reshape(-1, STRIDE).mean(1)
  loudness = np.maximum(decibels - _SILENT_DB, 0)
  return Heard(mouth, loudness, output_times(len(mouth)), seconds, remarks)


def _to_decibels(levels):
  return 10 * np.log10(levels + features.FLOOR)


def decibels_of(power: np.ndarray) -> np.ndarray:
  """The level [F] of mel power [F, NUM_BANDS], dB of full scale."""
  return _to_decibels(power.mean(1))


def judge(decibels: np.ndarray) -> list[str]:
  """What speaks against speech: nothing, or one line.

  Args:
    decibels: level of every frame of features.
  """
  if decibels.max() < _SILENT_DB:
    return ['is silent; the mouth stays shut']
  loud = decibels[decibels > decibels.max() - 50]
  if loud.std() < _STEADY_DB:
    return [
      'does not sound like speech: its level hardly varies, as that of music '
      'or noise'
    ]
  return []
