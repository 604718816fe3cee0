"""Augmentation: images and points move together, once for a sample."""

import colorsys
import functools

import dm_pix as pix
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads.config import AugmentConfig
from flaxheads.data import augment as module
from flaxheads.data.augment import augment
from flaxheads.data.pixels import to_float, to_uint8
from flaxheads.landmarks import layout

B, F, S = 2, 3, 64
OFF = AugmentConfig(flip=False, scale=0, shift=0, rotation=0, colour=0)
MOVES = AugmentConfig(flip=True, scale=0.2, shift=0.1, rotation=20, colour=0)


@functools.cache
def _jitted(name):
  config = {
    'off': OFF,
    'moves': MOVES,
    'flip': AugmentConfig(scale=0, shift=0, rotation=0, colour=0),
    'shift': AugmentConfig(flip=False, scale=0, rotation=0, colour=0),
    'colour': AugmentConfig(flip=False, scale=0, shift=0, rotation=0),
    'all': AugmentConfig(),
  }[name]
  return jax.jit(functools.partial(augment, config=config))


def _keys(seed):
  return jax.random.split(jax.random.key(seed), B)


def _inputs(seed=0):
  rng = np.random.default_rng(seed)
  frames = rng.integers(0, 256, (B, F, S, S, 3), np.uint8)
  points = rng.uniform(0, S, (B, F, 68, 2)).astype(np.float32)
  return frames, points


def test_no_strength_leaves_images_and_points_as_they_are():
  frames, points = _inputs()
  moved, moved_points = _jitted('off')(_keys(0), frames, points)
  np.testing.assert_allclose(moved, to_float(frames), atol=1e-6)
  np.testing.assert_array_equal(to_uint8(moved), frames)
  np.testing.assert_array_equal(moved_points, points)


@pytest.mark.parametrize('seed', range(6))
def test_a_dot_drawn_at_a_landmark_moves_with_it(seed):
  # A Gaussian of two pixels at point 0 of every frame; its centre of mass,
  # with pixel centres at half-integers, must be where the point went. Point 0
  # of a flipped sample is point 16 of the image.
  rng = np.random.default_rng(seed)
  _, points = _inputs(seed)
  spots = rng.uniform(0.35 * S, 0.65 * S, (B, F, 2))
  points[:, :, 0], points[:, :, 16] = spots, spots
  centres = np.arange(S) + 0.5
  x = centres - spots[..., 0, None]
  y = centres - spots[..., 1, None]
  bell = np.exp(-(y[..., :, None] ** 2 + x[..., None, :] ** 2) / 8)
  frames = np.rint(255 * bell[..., None].repeat(3, -1)).astype(np.uint8)
  moved, moved_points = _jitted('moves')(_keys(seed), frames, points)
  mass = np.asarray(moved[..., 0]) + 1  # [B, F, S, S]
  total = mass.sum((2, 3))
  found_x = (mass.sum(2) * centres).sum(-1) / total
  found_y = (mass.sum(3) * centres).sum(-1) / total
  found = np.stack([found_x, found_y], -1)
  assert np.abs(found - moved_points[:, :, 0]).max() < 0.1
  assert np.abs(found - spots).max() > 1  # something happened


def test_flip_mirrors_images_and_exchanges_points():
  frames, points = _inputs()
  seen = set()
  for seed in range(8):
    moved, moved_points = _jitted('flip')(_keys(seed), frames, points)
    moved = to_uint8(moved)
    for b in range(B):
      flipped = not np.array_equal(moved[b], frames[b])
      seen.add(flipped)
      if flipped:
        np.testing.assert_array_equal(moved[b], frames[b, :, :, ::-1])
        left_eye = np.asarray(moved_points[b, :, 36])  # outer corner, was 45
        np.testing.assert_allclose(left_eye[:, 0], S - points[b, :, 45, 0])
        np.testing.assert_array_equal(left_eye[:, 1], points[b, :, 45, 1])
        back = np.asarray(moved_points[b])[:, layout.MIRROR]
        np.testing.assert_allclose(
          S - back[..., 0], points[b, ..., 0], atol=1e-5
        )
      else:
        np.testing.assert_array_equal(moved_points[b], points[b])
  assert seen == {True, False}


def test_frames_of_a_sample_share_the_transform_and_samples_do_not():
  frames, points = _inputs()
  frames = np.repeat(frames[:1, :1], F, 1).repeat(B, 0)
  points = np.repeat(points[:1, :1], F, 1).repeat(B, 0)
  moved, moved_points = _jitted('all')(_keys(3), frames, points)
  for k in range(1, F):
    np.testing.assert_allclose(moved[:, k], moved[:, 0], atol=1e-6)
    np.testing.assert_array_equal(moved_points[:, k], moved_points[:, 0])
  assert np.abs(moved[0] - moved[1]).max() > 0.1
  assert np.abs(moved_points[0] - moved_points[1]).max() > 0.5


def test_between_pixels_and_outside_it_is_dm_pix():
  rng = np.random.default_rng(0)
  pixels = rng.integers(0, 256, (S * S, 5), np.uint8)
  x, y = rng.uniform(-8, S + 8, (2, S, S)).astype(np.float32)
  x[0], y[1] = np.rint(x[0]), S - 1
  mine = module._interpolate(pixels, x, y)
  theirs = [
    pix.flat_nd_linear_interpolate(
      column, jnp.stack([y, x]), unflattened_vol_shape=(S, S)
    )
    for column in pixels.T.astype(np.float32)
  ]
  np.testing.assert_allclose(mine, jnp.stack(theirs), atol=1e-3)


def test_outside_takes_the_colour_of_the_edge():
  # Every row has its own colour; at the left and right nothing else may come
  # in, and at top and bottom only that of the first and the last row.
  rows = np.linspace(0, 255, S).astype(np.uint8)
  frames = np.broadcast_to(rows[:, None, None], (B, F, S, S, 3))
  _, points = _inputs()
  for seed in range(4):
    moved, moved_points = _jitted('shift')(_keys(seed), frames, points)
    shift = np.asarray(moved_points - points)[:, 0, 0, 1]  # [B]
    wanted = np.interp(
      np.arange(S) - shift[:, None], np.arange(S), to_float(rows)
    )  # [B, S], clamped
    difference = np.asarray(moved) - wanted[:, None, :, None, None]
    assert np.abs(difference).max() < 1e-4


def test_colour_leaves_points_and_stays_in_range():
  frames, points = _inputs()
  moved, moved_points = _jitted('colour')(_keys(1), frames, points)
  np.testing.assert_array_equal(moved_points, points)
  assert np.abs(moved - to_float(frames)).max() > 0.02
  assert moved.min() >= -1 and moved.max() <= 1
  grey = frames[..., :1].repeat(3, -1)
  moved, _ = _jitted('colour')(_keys(1), grey, points)
  np.testing.assert_allclose(moved, moved[..., :1].repeat(3, -1), atol=1e-5)


@pytest.mark.parametrize('factor', [0.0, 0.7, 1.3, 4.0])
def test_saturation_is_that_of_hsv(factor):
  rng = np.random.default_rng(0)
  colours = rng.integers(0, 256, (300, 3)).astype(np.float32) / 255
  colours[100:200, 2] = colours[100:200, 1]  # no hue jumps between equals
  colours[200:, 0] = np.nextafter(colours[200:, 1], 1)
  colours[-1] = colours[-2, 0]
  found = jax.jit(module._saturate)(colours, factor)
  wanted = []
  for colour in colours.astype(np.float64):
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    saturation = min(saturation * factor, 1)
    wanted.append(colorsys.hsv_to_rgb(hue, saturation, value))
  np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_same_key_same_result_and_other_key_other_result():
  frames, points = _inputs()
  first, _ = _jitted('all')(_keys(5), frames, points)
  again, _ = _jitted('all')(_keys(5), frames, points)
  other, _ = _jitted('all')(_keys(6), frames, points)
  np.testing.assert_array_equal(first, again)
  assert np.abs(first - other).max() > 0.1


def test_a_sample_does_not_depend_on_its_neighbours():
  # So that a batch over eight devices is augmented like one on a single one.
  frames, points = _inputs()
  keys = _keys(5)
  both, both_points = _jitted('all')(keys, frames, points)
  for b in range(B):
    part = slice(b, b + 1)
    alone, alone_points = _jitted('all')(keys[part], frames[part], points[part])
    np.testing.assert_allclose(alone, both[part], atol=1e-5)
    np.testing.assert_allclose(alone_points, both_points[part], atol=1e-4)
