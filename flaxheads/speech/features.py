"""Log-mel spectra of speech, computed chunk by chunk.

Frame i covers the samples [HOP i, HOP i + WINDOW), so a frame needs nothing
that comes later than its own window.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator

import numpy as np

RATE = 16_000  # samples per second
HOP, WINDOW = 160, 400  # samples: 100 frames per second, of 25 ms
FRAMES_PER_SECOND = RATE / HOP
NUM_BANDS = 40
_FFT = 512
_LOW_HZ, _HIGH_HZ = 60.0, 7600.0
FLOOR = 1e-7  # of mel power: about -70 dB of full scale
_AT_ONCE = 6000  # frames, a minute
_DECIMATION, _TAPS = 3, 121  # from 48 kHz


def frame_times(count: int) -> np.ndarray:
  """The centres of the first frames, seconds: float64 [count]."""
  return (np.arange(count) * HOP + WINDOW / 2) / RATE


@functools.cache
def mel_filters() -> np.ndarray:
  """Triangles in mel, each of area 1 in bins: float32 [257, NUM_BANDS].

  mel = 2595 log10(1 + f / 700), O'Shaughnessy 1987.
  """

  def to_mel(hertz):
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)

  edges = np.linspace(to_mel(_LOW_HZ), to_mel(_HIGH_HZ), NUM_BANDS + 2)
  mel = to_mel(np.fft.rfftfreq(_FFT, 1 / RATE))[:, None]
  rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
  falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
  filters = np.clip(np.minimum(rising, falling), 0, None)
  return (filters / filters.sum(0)).astype(np.float32)


@functools.cache
def _window() -> np.ndarray:
  window = np.hanning(WINDOW + 1)[:-1]
  return (window / np.sqrt(np.square(window).sum())).astype(np.float32)


def mel_power(samples: np.ndarray) -> np.ndarray:
  """Mean power in every band.

  Args:
    samples: float [n], of full scale 1, RATE a second.

  Returns:
    float32 [F, NUM_BANDS], F = 1 + (n - WINDOW) // HOP, or none.
  """
  samples = np.asarray(samples, np.float32)
  if len(samples) < WINDOW:
    return np.zeros((0, NUM_BANDS), np.float32)
  frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
  parts = [
    np.square(np.abs(np.fft.rfft(part * _window(), _FFT))) @ mel_filters()
    for part in np.split(frames, range(_AT_ONCE, len(frames), _AT_ONCE))
  ]
  return np.concatenate(parts).astype(np.float32)


def log_mel(power: np.ndarray) -> np.ndarray:
  """What the network sees: float32, 0 for silence, about 2 for loud speech."""
  return (np.log(np.maximum(power / FLOOR, 1)) * 0.2).astype(np.float32)


def stream(chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
  """Mel power of sound that comes in chunks of any length.

  Args:
    chunks: float [n] each.

  Yields:
    float32 [F, NUM_BANDS] for chunks that complete frames; joined, the frames
    are those of `mel_power` of all samples.
  """
  kept = np.zeros(0, np.float32)
  for chunk in chunks:
    kept = np.concatenate([kept, chunk])
    frames = mel_power(kept)
    if len(frames):
      yield frames
      kept = kept[len(frames) * HOP :]


def downsample(chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
  """From sound.RATE to RATE: low-passes and keeps every third sample.

  Args:
    chunks: float [n] each, of 48,000 samples per second.

  Yields:
    float32 [m], in time: a filter's delay is made up for.
  """
  from scipy.signal import upfirdn  # its import takes a CPU-second

  taps = _low_pass()
  kept, phase = np.zeros(len(taps) // 2, np.float32), 0
  for chunk in itertools.chain(chunks, [np.zeros(len(taps) // 2)]):
    kept = np.concatenate([kept, chunk]).astype(np.float32)
    if len(kept) < len(taps):
      continue
    complete = len(kept) - len(taps) + 1  # samples with all their neighbours
    count = max(0, -(-(complete - phase) // _DECIMATION))
    first = (len(taps) - 1) // _DECIMATION
    filtered = upfirdn(taps, kept[phase:], 1, _DECIMATION)
    yield filtered[first : first + count].astype(np.float32)
    phase = (phase - complete) % _DECIMATION
    kept = kept[complete:]


@functools.cache
def _low_pass() -> np.ndarray:
  from scipy.signal import firwin

  taps = firwin(_TAPS, 7500, fs=RATE * _DECIMATION)
  return taps.astype(np.float32)
