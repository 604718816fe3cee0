"""Idle motion of a head: sway, blinks, and stress with the speech."""

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from flaxheads.landmarks.face_shape import Motion

# Standard deviations of yaw, pitch and roll, degrees, and of the place, cm.
_SWAY = (2.2, 1.3, 1.1)
_SHIFT = 0.12
_SLOW_HZ, _QUICK_HZ = 0.06, 0.5
_NUM_WAVES = 7
# People who talk blink some 15 to 25 times a minute, at irregular intervals
# (Bentivoglio et al. 1997).
_BLINK_MEDIAN, _BLINK_SPREAD, _BLINK_LEAST = 2.8, 0.5, 0.8  # s, log s, s
_CLOSING, _OPENING = 0.08, 0.18  # seconds that lids take
_STRESS_EVERY = 0.9  # seconds at least between stressed syllables
_STRESS_SHARE = 0.45  # of the syllables that stand out are marked
_RAISED = 0.16  # seconds, standard deviation of a raised brow
_NOD = 1.4  # degrees, of a stressed syllable


def sway(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """A smooth random function of time, standard deviation 1: [F]."""
  hertz = np.exp(rng.uniform(*np.log([_SLOW_HZ, _QUICK_HZ]), _NUM_WAVES))
  size = hertz**-0.5 * rng.uniform(0.5, 1, _NUM_WAVES)
  phase = rng.uniform(0, 2 * np.pi, _NUM_WAVES)
  waves = np.sin(2 * np.pi * np.outer(times, hertz) + phase)
  return waves @ size / np.sqrt(np.square(size).sum() / 2)


def blinks(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Lids of a face: float [F], 0: open, 1: shut."""
  lids = np.zeros(len(times))
  moment, end = rng.uniform(0.5, 2.5), times[-1]
  while moment < end:
    first, last = np.searchsorted(times, [moment - _CLOSING, moment + _OPENING])
    since = times[first:last] - moment
    share = np.where(since < 0, 1 + since / _CLOSING, 1 - since / _OPENING)
    share = np.clip(share, 0, 1)
    lids[first:last] = np.maximum(
      lids[first:last], share * share * (3 - 2 * share)
    )
    wait = np.exp(rng.normal(np.log(_BLINK_MEDIAN), _BLINK_SPREAD))
    moment += max(wait, _BLINK_LEAST)
  return lids


def stresses(
  times: np.ndarray, loudness: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
  """Bumps of height 1 at syllables that are louder than those about them.

  Args:
    times: float [F], seconds, at a constant rate.
    loudness: float [F], any unit that is 0 in silence.
    rng: marks some of them.

  Returns:
    float [F].
  """
  rate = (len(times) - 1) / max(times[-1] - times[0], 1e-9)
  syllable = gaussian_filter1d(loudness, 0.08 * rate)
  phrase = gaussian_filter1d(loudness, 1.2 * rate)
  excess = syllable - phrase - 0.25 * loudness.std()
  peaks = (excess[1:-1] > excess[:-2]) & (excess[1:-1] >= excess[2:])
  marks, last = np.zeros(len(times)), -np.inf
  for peak in np.flatnonzero(peaks & (excess[1:-1] > 0)) + 1:
    if times[peak] - last > _STRESS_EVERY and rng.random() < _STRESS_SHARE:
      marks[peak], last = rng.uniform(0.5, 1), times[peak]
  bump = gaussian_filter1d(marks, _RAISED * rate, mode='constant')
  return bump * _RAISED * rate * np.sqrt(2 * np.pi)


def idle_motion(
  times: np.ndarray, stress: np.ndarray, rng: np.random.Generator
) -> Motion:
  """Pose and place of a head that talks.

  Args:
    times: float [F], seconds.
    stress: [F], of `stresses`: the head nods.
    rng: source of randomness.

  Returns:
    Motion of one pixel for a centimetre, without expression.
  """
  angles = np.stack([size * sway(times, rng) for size in _SWAY], -1)
  angles[:, 1] += _NOD * stress
  shift = np.stack([_SHIFT * sway(times, rng) for _ in range(2)], -1)
  return Motion(
    Rotation.from_euler('YXZ', angles, degrees=True).as_matrix(),
    np.ones(len(times)),
    shift,
    np.zeros((len(times), 0)),
  )
