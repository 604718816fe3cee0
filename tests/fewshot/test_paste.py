"""Pasting a head back: the image stays the image, and no seam shows."""

import cv2
import numpy as np
import pytest

from flaxheads.data.support import MAX_SIDE, Portrait, shrink
from flaxheads.fewshot.paste import Paste
from flaxheads.landmarks.crop import CropBox, crop_image
from tests.faces import face_points

SIZE = 64
BOX = CropBox(60.5, 40.25, 100.0)
POINTS = face_points(SIZE)[None]


@pytest.fixture(scope='module')
def image():
  """A smooth image of 200 x 240 pixels."""
  noise = np.random.default_rng(0).uniform(0, 255, (200, 240, 3))
  smooth = cv2.GaussianBlur(noise, (0, 0), 8)
  low, high = smooth.min(), smooth.max()
  return (40 + 170 * (smooth - low) / (high - low)).astype(np.uint8)


def test_outside_of_the_mask_nothing_changes(image):
  still = crop_image(image, BOX, SIZE)
  paste = Paste(Portrait(image, BOX), still, POINTS)
  drawing = np.random.default_rng(1).integers(0, 256, still.shape, np.uint8)
  pasted = paste(drawing)
  assert pasted.shape == image.shape and pasted.dtype == np.uint8
  untouched = paste.mask[..., 0] == 0
  np.testing.assert_array_equal(pasted[untouched], image[untouched])
  assert 0.75 < untouched.mean() < 0.95
  # The whole box's border is outside of it.
  inside = np.zeros(image.shape[:2], bool)
  inside[42:139, 62:159] = True
  assert untouched[~inside].all()


def test_the_face_is_the_drawing(image):
  still = crop_image(image, BOX, SIZE)
  paste = Paste(Portrait(image, BOX), still, POINTS)
  scale = BOX.side / SIZE
  columns = (POINTS[0, :, 0] * scale + BOX.x0).astype(int)
  rows = (POINTS[0, :, 1] * scale + BOX.y0).astype(int)
  assert paste.mask[rows, columns].min() > 0.9
  # What was drawn as it is comes back as it is, in its place.
  error = np.abs(paste(still).astype(int) - image)
  assert error.mean() < 1 and error.max() < 12


def test_colours_are_matched_and_no_seam_shows(image):
  still = crop_image(image, BOX, SIZE)
  tinted = np.clip(still.astype(int) + (25, -20, 10), 0, 255).astype(np.uint8)
  paste = Paste(Portrait(image, BOX), tinted, POINTS)
  pasted = paste(tinted)
  assert np.abs(pasted.astype(int) - image).mean() < 1
  # A head that has moved: steps between neighbours are those of the image.
  moved = paste(np.roll(tinted, 3, 1)).astype(int)
  for axis in (0, 1):
    steps = np.abs(np.diff(moved, axis=axis)).max()
    assert steps < np.abs(np.diff(image.astype(int), axis=axis)).max() + 8


def test_around_the_face_the_portrait_stays_where_the_drawing_stands_still(
  image,
):
  drawing = np.array(crop_image(image, BOX, SIZE))
  drawing[:, :10] = 255 - drawing[:, :10]  # a background that was never there
  paste = Paste(Portrait(image, BOX), drawing, POINTS)
  edge = np.zeros(image.shape[:2], bool)
  edge[:, 60:75] = True
  edge &= paste.mask[..., 0] > 0
  assert edge.any()
  np.testing.assert_array_equal(paste(drawing)[edge], image[edge])
  # What moves there is drawn.
  moved = drawing.copy()
  moved[:, :10] = np.clip(moved[:, :10].astype(int) + 90, 0, 255)
  assert np.abs(paste(moved)[edge].astype(int) - image[edge]).max() > 20


@pytest.mark.parametrize('own_pixels', [True, False])
def test_a_thin_line_that_has_left_its_place_is_gone(image, own_pixels):
  """The end of a brow, above the face; of frames that invent nothing."""
  lined = image.copy()
  line = np.s_[60:66, 105:117]
  lined[62:64, 105:117] -= 40
  still, moved = (crop_image(each, BOX, SIZE) for each in (lined, image))
  paste = Paste(Portrait(lined, BOX), still, POINTS, own_pixels)
  left = np.abs(paste(moved)[line].astype(int) - image[line]).max()
  assert (left < 12) == own_pixels
  # Where nothing moves, the portrait stays to the bit.
  np.testing.assert_array_equal(paste(moved)[45:52], lined[45:52])


def test_a_close_up_reaches_the_images_end(image):
  box = CropBox(-30.0, -50.0, 300.0)
  still = crop_image(image, box, SIZE)
  low = face_points(SIZE, shift=(0, 16))[None]
  paste = Paste(Portrait(image, box), still, low)
  assert paste(still).shape == image.shape
  assert paste.mask[-1, 120] == 1  # the chin is cut off: no fade there


def test_the_mask_goes_where_the_head_goes(image):
  still = crop_image(image, BOX, SIZE)
  there = np.concatenate([POINTS, face_points(SIZE, shift=(8, 0))[None]])
  one = Paste(Portrait(image, BOX), still, POINTS).mask
  both = Paste(Portrait(image, BOX), still, there).mask
  assert (both >= one - 1e-6).all()
  assert both.sum() > 1.05 * one.sum()


def test_large_portraits_shrink_with_their_box():
  image = np.zeros((1000, 2 * MAX_SIDE, 3), np.uint8)
  small = shrink(Portrait(image, CropBox(100, 200, 300)))
  assert small.image.shape == (500, MAX_SIDE, 3)
  assert small.box == CropBox(50, 100, 150)
  same = Portrait(image[:, :100], CropBox(1, 2, 3))
  assert shrink(same) is same
