"""Synthetic speech with exact phoneme times, by installed programs.

flite (Carnegie Mellon University, Black and Lenzo 2001) speaks English with
voices built of recordings, and prints when each sound ends. The programs are
called, never linked.
"""

import functools
import shutil
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxheads.errors import RunFailedError, UserError
from flaxheads.speech.features import RATE
from flaxheads.speech.visemes import PAUSE, PHONEMES, Phoneme

_SECONDS = 60.0  # that a program may take for a sentence
_OTHER_NAMES = {'axr': 'er', 'ix': 'ih', 'ssil': PAUSE, 'nx': 'n', 'dx': 't'}


class Utterance(NamedTuple):
  """What was spoken.

  Attributes:
    samples: float32 [n], RATE a second, of full scale 1.
    phonemes: all of them, in order, pauses too.
  """

  samples: np.ndarray
  phonemes: list[Phoneme]


def check_installed() -> None:
  """Raises UserError where no program speaks."""
  if not shutil.which('flite'):
    raise UserError(
      'flite: not installed, and training needs its voices; install it (apt '
      'install flite, or brew install flite)'
    )


@functools.cache
def names() -> tuple[str, ...]:
  """The voices of flite that speak any text."""
  check_installed()
  done = subprocess.run(['flite', '-lv'], capture_output=True, text=True)
  listed = done.stdout.partition(':')[2].split()
  return tuple(name for name in listed if 'time' not in name)


def speak(text: str, voice: str, slowness: float, pitch: float) -> Utterance:
  """Speaks a sentence.

  Args:
    text: English.
    voice: one of `names()`.
    slowness: 1: the voice's own rate; 2: half as fast.
    pitch: mean fundamental frequency, Hz.

  Raises:
    RunFailedError: the program fails, or prints what is not understood.
  """
  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / 'speech.wav'
    settings = [
      f'duration_stretch={slowness:.3f}',
      f'int_f0_target_mean={pitch:.0f}',
    ]
    command = ['flite', '-voice', voice, '-psdur', '-t', text, '-o', str(path)]
    for setting in settings:
      command[1:1] = ['--setf', setting]
    done = subprocess.run(
      command, capture_output=True, text=True, timeout=_SECONDS
    )
    if done.returncode or not path.is_file():
      raise RunFailedError(f'flite failed: {done.stderr.strip()[-200:]}')
    samples = _read_wave(path)
  return Utterance(samples, read_phonemes(done.stdout))


def read_phonemes(printed: str) -> list[Phoneme]:
  """Reads flite's 'name:end' pairs.

  Raises:
    RunFailedError: another format, or an unknown sound.
  """
  phonemes, start = [], 0.0
  for pair in printed.split():
    name, _, end = pair.partition(':')
    name = _OTHER_NAMES.get(name, name)
    try:
      end = float(end)
    except ValueError:
      raise RunFailedError(f'flite printed {pair!r}, not name:end') from None
    if name not in PHONEMES:
      raise RunFailedError(f'flite spoke an unknown sound: {name}')
    phonemes.append(Phoneme(name, start, end))
    start = end
  return phonemes


def _read_wave(path) -> np.ndarray:
  with wave.open(str(path)) as file:
    rate = file.getframerate()
    data = np.frombuffer(file.readframes(file.getnframes()), np.int16)
  samples = data.astype(np.float32) / 32768
  if rate == RATE:
    return samples
  # kal's 8 kHz: linear interpolation leaves no energy that matters above.
  times = np.arange(round(len(samples) * RATE / rate)) / RATE
  return np.interp(times, np.arange(len(samples)) / rate, samples).astype(
    np.float32
  )
