"""Landmark images against another rasteriser, and what one relies on."""

import cv2
import jax
import numpy as np
import pytest

from flaxheads.landmarks import layout
from flaxheads.landmarks.rasterise import line_width, rasterise_landmarks

SIZE = 64
_FINE = 16  # samples of a pixel along each axis


def _face(size=SIZE):
  """A face of 68 points, drawn with compasses; no stroke crosses another."""
  points = np.zeros((68, 2))

  def arc(where, centre, radii, start, stop, closed=False):
    angles = np.linspace(start, stop, len(where), endpoint=not closed)
    turn = np.stack([np.cos(angles), np.sin(angles)], -1)
    points[list(where)] = np.array(centre) + turn * radii

  pi = np.pi
  arc(layout.JAW, (0.5, 0.45), (0.38, 0.45), pi, 0)
  arc(layout.LEFT_BROW, (0.32, 0.36), (0.12, 0.08), pi * 1.1, pi * 1.9)
  arc(layout.RIGHT_BROW, (0.68, 0.36), (0.12, 0.08), pi * 1.1, pi * 1.9)
  points[list(layout.NOSE_BRIDGE)] = [(0.5, 0.38 + 0.04 * i) for i in range(4)]
  arc(layout.NOSE_BASE, (0.5, 0.56), (0.09, 0.05), pi * 0.9, pi * 0.1)
  arc(layout.LEFT_EYE, (0.32, 0.42), (0.07, 0.04), pi, pi * 3, True)
  arc(layout.RIGHT_EYE, (0.68, 0.42), (0.07, 0.04), pi, pi * 3, True)
  arc(layout.OUTER_LIPS, (0.5, 0.73), (0.15, 0.08), pi, pi * 3, True)
  arc(layout.INNER_LIPS, (0.5, 0.73), (0.09, 0.035), pi, pi * 3, True)
  return (points * size).astype(np.float32)


def _coverage_by_opencv(points, members, closed, size):
  """Share of each pixel under a stroke, from an image 16 times as fine."""
  fine = np.zeros((size * _FINE, size * _FINE), np.uint8)
  corners = points[list(members)] * _FINE - 0.5  # its centres are integers
  corners = np.round(corners * 16).astype(np.int32)
  width = round(line_width(size) * _FINE)
  cv2.polylines(fine, [corners[:, None]], closed, 255, width, shift=4)
  return fine.reshape(size, _FINE, size, _FINE).mean((1, 3)) / 255


def _draw_by_opencv(points, size):
  picture = np.zeros((size, size, 3))
  for (members, closed), colour in zip(
    layout.STROKES, layout.STROKE_COLOURS, strict=True
  ):
    cover = _coverage_by_opencv(points, members, closed, size)[..., None]
    picture = picture * (1 - cover) + cover * np.array(colour)
  return 2 * picture - 1


@pytest.fixture(scope='module')
def draw():
  return jax.jit(lambda points: rasterise_landmarks(points, SIZE))


@pytest.mark.parametrize('size', [64, 256])
def test_it_is_what_another_rasteriser_draws(size):
  points = _face(size) + 0.3
  mine = np.asarray(rasterise_landmarks(points, size))
  theirs = _draw_by_opencv(points, size)
  assert mine.shape == (size, size, 3) and mine.dtype == np.float32
  inked = theirs.max(-1) > -1
  assert np.abs(mine - theirs)[inked].mean() < 0.1  # of a range of 2
  assert np.abs(mine - theirs).mean() < 0.01
  assert np.corrcoef(mine.ravel(), theirs.ravel())[0, 1] > 0.99
  far = cv2.dilate(inked.astype(np.uint8), np.ones((3, 3))) == 0
  assert (mine[far] == -1).all()


def test_every_stroke_has_its_colour(draw):
  points = _face()
  for (members, closed), colour in zip(
    layout.STROKES, layout.STROKE_COLOURS, strict=True
  ):
    alone = np.full_like(points, -1e3)
    alone[list(members)] = points[list(members)]
    picture = (np.asarray(draw(alone)) + 1) / 2
    cover = _coverage_by_opencv(points, members, closed, SIZE)
    mine = picture.max(-1)  # every colour has a channel that is full
    np.testing.assert_allclose(
      picture, mine[..., None] * np.array(colour), atol=1e-5
    )
    assert np.corrcoef(mine.ravel(), cover.ravel())[0, 1] > 0.97
  assert len(set(layout.STROKE_COLOURS)) == len(layout.STROKES)


def test_moved_points_move_the_image(draw):
  points = _face()
  picture = np.asarray(draw(points))
  moved = np.asarray(draw(points + np.array([3, -2], np.float32)))
  np.testing.assert_allclose(moved[:-2, 3:], picture[2:, :-3], atol=1e-4)


def test_x_is_the_column_and_y_the_row(draw):
  points = np.full((68, 2), -1e3, np.float32)
  points[list(layout.NOSE_BRIDGE)] = [(40, 8), (40, 9), (40, 10), (40, 11)]
  lit = np.argwhere(np.asarray(draw(points)).max(-1) > 0)
  assert lit[:, 0].min() >= 7 and lit[:, 0].max() <= 11  # rows
  assert set(lit[:, 1]) == {39, 40}  # columns: the line runs between them


def test_points_far_outside_and_on_one_another_draw_nothing_wrong(draw):
  outside = np.asarray(draw(_face() + 1e4))
  assert (outside == -1).all()
  half = np.asarray(draw(_face() - np.array([32, 0], np.float32)))
  assert np.isfinite(half).all() and half.max() > 0
  same = np.asarray(draw(np.full((68, 2), 20.5, np.float32)))
  assert np.isfinite(same).all()
  lit = np.argwhere(same.max(-1) > -1)
  assert np.abs(lit - 20).max() <= 1


def test_gradient_is_the_slope(draw):
  rng = np.random.default_rng(0)
  weights = rng.normal(size=(SIZE, SIZE, 3)).astype(np.float32)
  points = _face() + 0.123

  def loss(points):
    return (draw(points) * weights).sum()

  gradient = np.asarray(jax.grad(loss)(points))
  assert np.isfinite(gradient).all()
  assert (np.abs(gradient).max(-1) > 0).mean() > 0.95
  # The image is piecewise smooth, so a slope over a short way agrees with
  # the gradient but where a pixel begins or ends to be touched on the way.
  steps = np.zeros((68, 68, 2), np.float32)
  steps[np.arange(68), np.arange(68), 0] = 2e-3
  moved = np.concatenate([points + steps, points - steps])
  ahead, behind = np.split(jax.jit(lambda p: jax.lax.map(loss, p))(moved), 2)
  slopes = (ahead - behind) / 4e-3
  near = np.abs(slopes - gradient[:, 0]) < 0.1 * np.abs(slopes) + 0.15
  assert near.sum() >= 60


def test_gradient_is_finite_with_a_pixel_on_a_stroke(draw):
  points = np.full((68, 2), 20.5, np.float32)  # a centre of a pixel
  gradient = jax.grad(lambda points: draw(points).sum())(points)
  assert np.isfinite(gradient).all()


def test_leading_dimensions_are_kept():
  points = np.stack([_face(), _face() + 2, _face() - 2, _face() + 1])
  many = np.asarray(rasterise_landmarks(points.reshape(2, 2, 68, 2), SIZE))
  assert many.shape == (2, 2, SIZE, SIZE, 3)
  for place, one in zip(np.ndindex(2, 2), points, strict=True):
    np.testing.assert_allclose(
      many[place], rasterise_landmarks(one, SIZE), atol=1e-5
    )


@pytest.mark.parametrize('size, wanted', [(64, 1.2), (128, 1.28), (256, 2.56)])
def test_line_width(size, wanted):
  assert line_width(size) == pytest.approx(wanted)
