"""Flicker is what the motion of the landmarks does not explain."""

import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.metrics.flicker import flicker

SIZE = 64


def _points(shift=(0.0, 0.0), size=20.0):
  """68 points on two circles about the middle."""
  angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
  radius = np.where(np.arange(68) % 2, size, size / 2)
  circle = np.stack([np.cos(angle), np.sin(angle)], -1) * radius[:, None]
  return circle + SIZE / 2 + shift


def _picture(shift=(0.0, 0.0)):
  """Waves that depend on x and on y in different ways, moved."""
  x, y = np.meshgrid(np.arange(SIZE) - shift[0], np.arange(SIZE) - shift[1])
  waves = [np.sin(0.2 * x), np.cos(0.13 * y), np.sin(0.1 * x + 0.2 * y)]
  return (127 + 100 * np.stack(waves, -1)).astype(np.uint8)


def test_a_face_that_moves_as_asked_does_not_flicker():
  shifts = [(0, 0), (3, 0), (3, 5), (-4, 2)]
  frames = np.stack([_picture(shift) for shift in shifts])
  found = flicker(frames, np.stack([_points(shift) for shift in shifts]))
  assert found.shape == (3,)
  np.testing.assert_allclose(found, 0, atol=1e-6)
  # Where the landmarks stand still, the same motion is flicker.
  assert flicker(frames, np.stack([_points()] * 4)).min() > 0.02
  # Order counts: x is not y.
  turned = frames.swapaxes(1, 2)
  points = np.stack([_points(shift) for shift in shifts])
  assert flicker(turned, points).max() > 0.02


def test_it_is_the_mean_change_of_the_pixels_in_the_face():
  points = np.stack([_points()] * 2)
  frames = np.stack([_picture()] * 2)
  frames[1] = np.minimum(frames[1].astype(int) + 10, 255)
  np.testing.assert_allclose(flicker(frames, points), 10 / 255)
  # Outside of the face nothing counts.
  outside = np.stack([_picture()] * 2)
  outside[1, :8] = 255 - outside[1, :8]
  np.testing.assert_allclose(flicker(outside, points), 0, atol=1e-6)


def test_a_face_that_grows_as_asked_does_not_flicker():
  x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)

  def picture(scale):
    u, v = (x - SIZE / 2) / scale, (y - SIZE / 2) / scale
    return np.stack([127 + 4 * u, 127 + 3 * v, 127 + u + v], -1).astype(
      np.uint8
    )

  frames = np.stack([picture(1.0), picture(1.2)])
  points = np.stack([_points(size=20), _points(size=24)])
  assert flicker(frames, points).max() < 1.1 / 255  # levels are whole


def test_what_cannot_be_compared_has_no_value():
  frames = np.stack([_picture()] * 2)
  flat = np.stack([_points(), np.ones((68, 2))])
  assert np.isnan(flicker(frames, flat)).all()
  away = np.stack([_points(), _points((500, 0))])
  assert np.isnan(flicker(frames, away)).all()
  assert flicker(frames[:1], flat[:1]).shape == (0,)
  with pytest.raises(UserError, match='uint8'):
    flicker(frames / 255, flat)
  with pytest.raises(UserError, match='points: shape'):
    flicker(frames, flat[:1])
