"""Smoothing of tracked points over time, without lag.

Detected points jitter by a fraction of a per cent of the face, which is visible
in rendered video. A plain filter strong enough against that would also flatten
blinks. So the filter acts where a group of points (upper lids, a brow, outer
lips, ...) moves no more than the jitter explains.
"""

from collections.abc import Sequence

import numpy as np

from flaxheads.landmarks import layout

WINDOW_SECONDS = 0.28  # 7 frames at 25 frames/s
_NOISE_MARGIN = 3.0

# Points that move together: both eyes blink at once, upper lids apart from
# lower ones, so that a blink stands out.
_GROUPS = tuple(
  np.array(points)
  for points in (
    layout.JAW,
    layout.LEFT_BROW,
    layout.RIGHT_BROW,
    layout.NOSE_BRIDGE,
    layout.NOSE_BASE,
    (37, 38, 43, 44),
    (40, 41, 46, 47),
    (36, 39, 42, 45),
    layout.OUTER_LIPS,
    layout.INNER_LIPS,
  )
)


def runs(kept: np.ndarray) -> list[slice]:
  """Slices of `kept` (rising int [F]) whose numbers follow each other."""
  cuts = np.flatnonzero(np.diff(kept) != 1) + 1
  edges = [0, *cuts.tolist(), len(kept)]
  return [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def smooth_points(
  points: np.ndarray,
  fps: float = 25.0,
  kept: np.ndarray | None = None,
  groups: Sequence[np.ndarray] = _GROUPS,
) -> np.ndarray:
  """Removes detection noise from a face's points; keeps quick movements.

  A Savitzky-Golay filter (zero lag, order 2) gives the calm path. What it
  took away is noise plus, in quick movements, signal; a Wiener gain for each
  group, axis and time, from the noise level seen in second differences,
  returns the signal.

  Args:
    points: float [F, P, 2].
    fps: frames per second.
    kept: int [F], rising numbers of the frames; runs of consecutive ones are
      smoothed apart from each other. None: one run.
    groups: indices of points that move together; by default of the 68 points.

  Returns:
    float32 [F, P, 2].
  """
  points = np.asarray(points, np.float64)
  kept = np.arange(len(points)) if kept is None else np.asarray(kept)
  length = max(5, 2 * round(WINDOW_SECONDS * fps / 2) + 1)
  smoothed = points.copy()
  for run in runs(kept):
    if run.stop - run.start >= length:
      smoothed[run] = _smooth_run(points[run], length, groups)
  return smoothed.astype(np.float32)


def savitzky_golay(path: np.ndarray, length: int) -> np.ndarray:
  """A Savitzky-Golay filter of order 2 along the first axis.

  As scipy.signal.savgol_filter does, whose import takes a CPU-second: each
  value is that of the parabola through the `length` values about it; at either
  end one parabola serves half a window.

  Args:
    path: float [F, ...], F >= length.
    length: odd.
  """
  fit = _parabola(length)
  half = length // 2
  windows = np.lib.stride_tricks.sliding_window_view(path, length, 0)
  return np.concatenate(
    [
      np.tensordot(fit[:half], path[:length], 1),
      windows @ fit[half],
      np.tensordot(fit[half + 1 :], path[-length:], 1),
    ]
  )


def _parabola(length: int) -> np.ndarray:
  """The matrix [n, n] from n values to those of their best parabola."""
  powers = np.vander(np.linspace(-1, 1, length), 3)
  return powers @ np.linalg.pinv(powers)


def _smooth_run(points, length, groups) -> np.ndarray:
  """Smooths float64 [F, P, 2] of consecutive frames, F >= length."""
  calm = savitzky_golay(points, length)
  residual = points - calm
  second = np.diff(points, 2, axis=0)
  # The filter is a projection: white noise of variance v leaves a residual of
  # (1 - centre coefficient) v.
  left = 1 - _parabola(length)[length // 2, length // 2]
  result = calm
  for group in groups:
    # Second differences of white noise have 6 times its variance; most frames
    # have little movement, so the median (0.6745 sigma) sees the noise. Each
    # axis for itself: lids and lips move up and down.
    sigma = np.median(np.abs(second[:, group]), (0, 1)) / 0.6745 / np.sqrt(6)
    noise = left * sigma**2  # [2]
    energy = (residual[:, group] ** 2).mean(1)  # [F, 2]
    around = np.pad(energy, ((1, 1), (0, 0)), 'edge')
    energy = (around[:-2] + around[1:-1] + around[2:]) / 3
    gain = np.maximum(0, 1 - _NOISE_MARGIN * noise / np.maximum(energy, 1e-12))
    result[:, group] += gain[:, None] * residual[:, group]
  return result
