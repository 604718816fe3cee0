"""The background behind a moving head."""

import cv2
import numpy as np
import pytest

from flaxheads.fewshot.photo_composer import PhotoComposer
from flaxheads.fewshot.still_layer import StillLayer
from flaxheads.landmarks import head_mesh
from tests.faces import face_points

SIZE = 192


@pytest.fixture(scope='module')
def scene():
  """A red head before blue and green stripes, and its points."""
  points = face_points(SIZE)
  image = np.zeros((SIZE, SIZE, 3), np.uint8)
  image[..., 2] = 120
  image[::8, :, 1] = 200
  middle = tuple(int(v) for v in points.mean(0) - (0, 12))
  cv2.ellipse(image, middle, (52, 72), 0, 0, 360, (200, 40, 40), -1)
  cv2.rectangle(
    image, (middle[0] - 24, 140), (middle[0] + 24, SIZE), (200, 40, 40), -1
  )
  return image, points


def test_the_matte_holds_the_head_alone(scene):
  image, points = scene
  vertices = head_mesh.mesh_vertices(head_mesh.fit_head(points[None]))[0]
  layer = StillLayer(image, vertices)
  head = image[..., 0] == 200
  above = np.arange(SIZE)[:, None] < points[2, 1]
  assert layer.matte[head & above].min() > 250
  away = cv2.dilate(head.astype(np.uint8), np.ones((25, 25))) == 0
  assert layer.matte[away & above].max() == 0
  np.testing.assert_array_equal(
    layer.background[away & above], image[away & above]
  )
  assert layer.background[head & above][:, 0].max() < 100  # no head in it


def test_no_rim_of_background_moves_with_the_head(scene):
  image, points = scene
  vertices = head_mesh.mesh_vertices(head_mesh.fit_head(points[None]))[0]
  layer = StillLayer(image, vertices)
  head = (image[..., 0] == 200).astype(np.uint8)
  distance = cv2.distanceTransform(1 - head, cv2.DIST_L2, 5)
  above = np.arange(SIZE)[:, None] < points[2, 1]
  rim = layer.matte[(distance > 1.5) & (distance < 2.5) & above]
  assert rim.mean() < 40  # of 255
  # What is no head stays as the photograph shows it.
  # Stripes cannot be inpainted: 12 levels where all of it was.
  beside = (distance > 4) & (distance < 6) & above
  apart = np.abs(layer.background[beside] - image[beside].astype(float))
  assert apart.mean() < 8


def test_the_background_stands_still_while_the_head_moves(scene):
  image, points = scene
  composer = PhotoComposer(image[None], points[None])
  still, moved = composer(np.stack([points, points + (8, 0)]))
  assert np.abs(still - image.astype(float)).mean() < 1
  away = np.ones((SIZE, SIZE), bool)
  x = int(points[:, 0].mean())
  away[:, x - 66 : x + 76] = False
  away[int(points[4, 1]) :] = False  # the body is warped
  assert away.sum() > 1000
  np.testing.assert_array_equal(moved[away], image[away])
  # The head itself has moved, and no second one is left where it was.
  row = int(points[1, 1])
  red = [np.flatnonzero(frame[row, :, 0] > 128) for frame in (still, moved)]
  assert abs(red[1][0] - red[0][0] - 8) <= 2
  assert abs(red[1][-1] - red[0][-1] - 8) <= 2


def test_a_photograph_that_the_head_fills_has_no_still_layer(scene):
  _, points = scene
  image = np.full((SIZE, SIZE, 3), 90, np.uint8)
  vertices = head_mesh.mesh_vertices(
    head_mesh.fit_head((points[None] - SIZE / 2) * 2.5 + SIZE / 2)
  )[0]
  assert StillLayer(image, vertices).matte.min() == 255
