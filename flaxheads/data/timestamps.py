"""Repairs the time stamps of frames, and finds the frame rate."""

import collections
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

_LOOK_AHEAD = 4  # frames that a doubtful time stamp is compared with
_RECENT = 9  # gaps between frames whose median is the usual one
_LONG = 10.0  # seconds without a frame that deserve a warning
_WRONG = 1.0  # seconds by which a time stamp is wrong enough for a warning


def mend(
  stamped: Iterable[tuple[float | None, Any]],
  gap: float,
  warn: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[float, Any]]:
  """Makes times increase, whatever single frames claim.

  A time that contradicts most of the next ones is replaced by one between its
  neighbours. Where the clock is set back, as in joined files, time continues.
  A long gap is kept, because the sound may continue through it.

  Args:
    stamped: (time in seconds or None, item) in order of display.
    gap: seconds from one frame to the next, before others are known.
    warn: called with the reason for a large correction, and for a long gap.

  Yields:
    (time, item).
  """
  stamped = iter(stamped)
  coming = collections.deque(itertools.islice(stamped, _LOOK_AHEAD + 1))
  gaps = collections.deque([gap], _RECENT)
  shift, previous = 0.0, None
  while coming:
    given, item = coming.popleft()
    coming.extend(itertools.islice(stamped, 1))
    later = [time + shift for time, _ in coming if time is not None]
    given = None if given is None else given + shift
    if previous is None:
      time = _first(given, later, gap)
    else:
      usual = float(np.median(gaps))
      time = _next(given, later, previous, usual)
      if (
        given is not None and given <= previous and not _rises(previous, later)
      ):
        shift += time - given
        warn(f'its clock is set back after {previous:.1f} s')
      elif given is not None and abs(time - given) > _WRONG:
        warn(f'a frame after {previous:.1f} s has a wrong time stamp')
      elif time - previous > _LONG:
        warn(f'no frame from {previous:.1f} s to {time:.1f} s')
      gaps.append(time - previous)
    yield time, item
    previous = time


def _rises(time: float, later: list[float]) -> bool:
  """Whether most of the later times, or none of no times, are after `time`."""
  return 2 * sum(t > time for t in later) >= len(later)


def _first(given, later, gap) -> float:
  if not later:
    return given or 0.0
  middle = sorted(later)[len(later) // 2]
  if given is not None and 0 < middle - given <= _LONG:
    return given
  index = next(i for i, t in enumerate(later) if abs(t - middle) <= _LONG)
  return later[index] - (index + 1) * gap


def _next(given, later, previous, usual) -> float:
  after = [time for time in later if time > previous]
  if given is not None and given > previous:
    disagree = 2 * sum(time < given for time in after) > len(later)
    if not disagree and (later or given - previous <= _LONG):
      return given
  room = (min(after) - previous) / 2 if after else usual
  return previous + min(usual, room)


def frame_rate(times: np.ndarray, declared: float, tick: float) -> float:
  """The rate of frames, of which most are one gap apart.

  Times are multiples of the container's clock: at 30 frames/s, a clock of
  milliseconds gives gaps of 33 and 34 ms, and their median 30.303.

  Args:
    times: float [F] in seconds, F > 1.
    declared: frames per second according to the container.
    tick: of its clock, in seconds.

  Returns:
    `declared`, or else the mean rate, where the gaps agree with it to within a
    tick; else one over their median.
  """
  gaps = np.diff(times)
  gap, mean = float(np.median(gaps)), float(1 / np.mean(gaps))
  whole = round(mean)
  if whole and abs(len(gaps) / whole - gaps.sum()) <= tick:
    mean = whole
  for rate in (declared, mean):
    if abs(1 / rate - gap) <= 1.001 * tick + 1e-9:
      return float(rate)
  return round(1 / gap, 3)
