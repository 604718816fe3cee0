"""The inside of mouths that a photograph shows shut."""

import numpy as np

from flaxheads.fewshot.mouth_interior import MouthInterior
from flaxheads.fewshot.photo_composer import PhotoComposer
from flaxheads.landmarks import head_mesh
from tests.faces import face_points

SIZE = 192


def shut_and_open():
  shut = face_points(SIZE)
  shut[65:68] = shut[[63, 62, 61]]
  opened = shut.copy()
  opened[[*range(55, 60), *range(65, 68)], 1] += 14
  opened[5:12, 1] += 8
  return shut, opened


def test_an_opened_mouth_has_upper_teeth_and_a_dark_cavity():
  shut, opened = shut_and_open()
  image = np.full((SIZE, SIZE, 3), 150, np.uint8)
  (frame,) = PhotoComposer(image[None], shut[None])(opened[None])
  upper, lower = opened[62], opened[66]
  column = int(upper[0]) + 2  # beside the gap between the middle teeth
  rows = np.linspace(upper[1], lower[1], 40).astype(int)
  light = frame[rows, column].mean(-1)
  assert light[2:20].max() > 120  # teeth
  assert light[20:].min() < 60  # cavity
  assert light[:20].argmax() < light.argmin()
  # Lips and chin keep their pixels.
  x, y = opened[[66, 57]].mean(0).round().astype(int)
  np.testing.assert_array_equal(frame[y, x], 150)


def test_a_mouth_that_the_photograph_shows_is_its_own():
  _, opened = shut_and_open()
  image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
  (frame,) = PhotoComposer(image[None], opened[None])(opened[None])
  low, high = opened[48:68].min(0).astype(int), opened[48:68].max(0).astype(int)
  mouth = np.s_[low[1] : high[1], low[0] : high[0]]
  np.testing.assert_array_equal(frame[mouth], image[mouth])


def test_teeth_move_with_the_head_and_take_the_light_of_the_skin():
  shut, opened = shut_and_open()
  photo = head_mesh.fit_head(shut[None])
  share = np.ones((40, 60, 1), np.float32)
  left, top = (opened[[62, 66]].mean(0) - (30, 20)).astype(int)
  rendered = []
  for level, shift in ((150, 0), (150, 7), (50, 0)):
    image = np.full((SIZE, SIZE, 3), level, np.uint8)
    points = opened[None] + shift
    track = head_mesh.fit_head(points, photo.rest)
    interior = MouthInterior(image, photo)
    (mouth,) = interior.place(points, track.motion)
    rendered.append(mouth(share, left + shift, top + shift))
  np.testing.assert_allclose(rendered[0], rendered[1], atol=1)
  np.testing.assert_allclose(rendered[2], rendered[0] / 3, atol=1)
