"""Smoothing: less noise, no lag, blinks kept, gaps respected."""

import numpy as np
import pytest
from scipy import signal

from flaxheads.landmarks.smooth import runs, savitzky_golay, smooth_points

FPS = 25.0
UPPER_LIDS = [37, 38, 43, 44]


def _talk(num_frames, fps=FPS, seed=0):
  """A head that sways and talks, free of noise: float64 [F, 68, 2]."""
  face = np.random.default_rng(seed).uniform(80, 180, (68, 2))
  time = np.arange(num_frames) / fps
  points = np.repeat(face[None], num_frames, 0)
  sway = np.stack([6 * np.sin(2.0 * time), 3 * np.sin(3.1 * time + 1)], -1)
  points += sway[:, None]
  points[:, 56:59, 1] += 4 * np.sin(2 * np.pi * 2.0 * time)[:, None]
  return points


def _blink(points, frame, depth=6.0):
  """Closes both eyes within two frames and opens them in two more."""
  curve = depth * np.array([0.5, 1.0, 1.0, 0.5])
  for lid in UPPER_LIDS:
    points[frame - 1 : frame + 3, lid, 1] += curve
  return points


def _noisy(points, sigma, seed=1):
  rng = np.random.default_rng(seed)
  return points + rng.normal(0, sigma, points.shape)


@pytest.mark.parametrize('frames, length', [(7, 7), (30, 7), (40, 15)])
def test_the_filter_is_scipys(frames, length):
  path = np.random.default_rng(0).normal(size=(frames, 3, 2))
  wanted = signal.savgol_filter(path, length, 2, axis=0, mode='interp')
  np.testing.assert_allclose(savitzky_golay(path, length), wanted, atol=1e-12)


def test_noise_falls():
  clean = _talk(200)
  noisy = _noisy(clean, 0.5)
  smooth = smooth_points(noisy, FPS)
  assert smooth.dtype == np.float32 and smooth.shape == clean.shape
  before = np.sqrt(((noisy - clean) ** 2).mean())
  after = np.sqrt(((smooth - clean) ** 2).mean())
  assert after < 0.7 * before
  # What one sees as shivering is the jump between frames.
  shiver = [
    np.abs(np.diff(p - clean, 2, axis=0)).mean() for p in (noisy, smooth)
  ]
  assert shiver[1] < 0.35 * shiver[0]


@pytest.mark.parametrize('sigma', [0.0, 0.3, 0.5])
def test_a_fast_blink_keeps_its_depth_and_its_frame(sigma):
  clean = _blink(_talk(100), 50)
  noisy = _noisy(clean, sigma)
  smooth = smooth_points(noisy, FPS)
  eye = [39, 36, 42, 45]
  closing = smooth[:, UPPER_LIDS, 1].mean(1) - smooth[:, eye, 1].mean(1)
  truth = clean[:, UPPER_LIDS, 1].mean(1) - clean[:, eye, 1].mean(1)
  depth = closing[50:52].mean() - np.median(closing)
  assert depth >= 0.8 * (truth[50:52].mean() - np.median(truth))
  assert closing.argmax() in (50, 51)


def test_no_lag():
  clean = _talk(120)
  smooth = smooth_points(_noisy(clean, 0.5), FPS)
  path, true = smooth[:, 30, 0], clean[:, 30, 0]
  errors = {
    lag: np.abs(path[10:-10] - np.roll(true, lag)[10:-10]).mean()
    for lag in (-1, 0, 1)
  }
  assert min(errors, key=errors.get) == 0


def test_quiet_movement_passes_unchanged():
  time = np.arange(60)[:, None, None] / FPS
  points = _talk(1) + 3 * time - 2 * time**2  # order 2: within the filter
  np.testing.assert_allclose(smooth_points(points, FPS), points, atol=1e-3)


def test_gaps_are_not_bridged():
  before, after = _noisy(_talk(40), 0.5), _noisy(_talk(40, seed=5), 0.5)
  kept = np.concatenate([np.arange(40), np.arange(55, 95)])
  joined = smooth_points(np.concatenate([before, after]), FPS, kept)
  np.testing.assert_array_equal(joined[:40], smooth_points(before, FPS))
  np.testing.assert_array_equal(joined[40:], smooth_points(after, FPS))


def test_short_runs_stay():
  points = _noisy(_talk(8), 0.5)
  kept = np.array([0, 1, 2, 3, 10, 20, 21, 22])
  np.testing.assert_array_equal(
    smooth_points(points, FPS, kept), points.astype(np.float32)
  )


def test_runs():
  assert runs(np.array([3, 4, 5, 9, 11, 12])) == [
    slice(0, 3),
    slice(3, 4),
    slice(4, 6),
  ]
  assert runs(np.array([7])) == [slice(0, 1)]


def test_more_frames_a_second_smooth_over_the_same_time():
  slow, fast = _talk(100, 25.0), _talk(400, 100.0)
  errors = []
  for clean, fps in ((slow, 25.0), (fast, 100.0)):
    smooth = smooth_points(_noisy(clean, 0.5), fps)
    errors.append(np.abs(smooth - clean).mean())
  assert errors[1] < 0.75 * errors[0]
