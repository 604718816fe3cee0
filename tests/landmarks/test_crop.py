"""Crop box, crop, and that images and points move together."""

import numpy as np
import pytest

from flaxheads.landmarks import crop
from flaxheads.landmarks.crop import CropBox


def _face(x, y, width, height, seed=0):
  """68 points whose bounding box is given."""
  unit = np.random.default_rng(seed).uniform(size=(68, 2))
  unit[0], unit[1] = (0, 0), (1, 1)
  return np.array([x, y]) + unit * [width, height]


def test_box_of_one_frame():
  box = crop.crop_box(_face(100, 50, 40, 60)[None])
  assert box.side == pytest.approx(120)  # twice the longer extent
  assert box.x0 + box.side / 2 == pytest.approx(120)
  assert box.y0 + box.side / 2 == pytest.approx(80 - 12)  # raised by a tenth


def test_box_takes_the_median_size_and_the_middle_of_the_range():
  clip = np.stack(
    [_face(0, 0, 40, 50), _face(10, 0, 40, 52), _face(2, 0, 40, 90)]
  )
  box = crop.crop_box(clip)
  assert box.side == pytest.approx(104)
  # Centres are 20, 30, 22 and 25, 26, 45: their ranges' middles.
  assert box.x0 + box.side / 2 == pytest.approx(25)
  assert box.y0 + box.side / 2 == pytest.approx(35 - 10.4)


def test_box_grows_with_movement():
  clip = np.stack([_face(x, 0, 40, 40) for x in (0, 50, 100)])
  assert crop.crop_box(clip).side == pytest.approx(1.15 * 140)


@pytest.mark.parametrize(
  'points',
  [
    np.zeros((0, 68, 2)),
    np.full((1, 68, 2), np.nan),
    np.zeros((1, 68, 2)),
  ],
)
def test_box_refuses(points):
  with pytest.raises(ValueError, match='points'):
    crop.crop_box(points)


def test_points_go_there_and_back():
  points = np.random.default_rng(1).uniform(-50, 500, (3, 68, 2))
  box = CropBox(12.3, -45.6, 234.5)
  there = crop.points_to_crop(points, box, 256)
  assert there.dtype == np.float32
  back = crop.points_from_crop(there, box, 256)
  np.testing.assert_allclose(back, points, atol=1e-3)
  corners = crop.points_to_crop([[12.3, -45.6], [246.8, 188.9]], box, 256)
  np.testing.assert_allclose(corners, [[0, 0], [256, 256]], atol=1e-4)


def _blob(height, width, point, sigma):
  """A bright spot with its middle at `point`, pixel centres at halves."""
  y, x = np.mgrid[:height, :width] + 0.5
  square = (x - point[0]) ** 2 + (y - point[1]) ** 2
  grey = np.rint(250 * np.exp(-square / (2 * sigma**2))).astype(np.uint8)
  return np.repeat(grey[..., None], 3, 2)


def _middle(image):
  weight = image[..., 0].astype(float)
  y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
  return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@pytest.mark.parametrize(
  'box',
  [
    CropBox(20.3, 31.7, 64.0),  # a shift by parts of a pixel
    CropBox(2.25, 5.5, 150.4),  # smaller
    CropBox(60.6, 50.1, 33.3),  # larger
    CropBox(-80.2, -70.9, 300.0),  # reaching outside on every side
  ],
)
def test_a_drawn_point_lands_on_the_moved_point(box):
  point = np.array([73.4, 66.8])
  image = _blob(160, 180, point, sigma=3.0)
  cropped = crop.crop_image(image, box, 64)
  assert cropped.shape == (64, 64, 3) and cropped.dtype == np.uint8
  expected = crop.points_to_crop(point, box, 64)
  np.testing.assert_allclose(_middle(cropped), expected, atol=0.1)


def test_whole_pixels_are_copied():
  image = np.random.default_rng(2).integers(0, 256, (50, 60, 3), np.uint8)
  cropped = crop.crop_image(image, CropBox(7.0, 9.0, 32.0), 32)
  np.testing.assert_array_equal(cropped, image[9:41, 7:39])


def test_shrinking_averages_fine_texture():
  checks = np.indices((256, 256)).sum(0) % 2 * 255
  image = np.repeat(checks[..., None], 3, 2).astype(np.uint8)
  cropped = crop.crop_image(image, CropBox(0.0, 0.0, 256.0), 37)
  assert np.abs(cropped.astype(int) - 127.5).max() <= 3


def test_outside_repeats_the_nearest_edge_pixel():
  image = np.random.default_rng(3).integers(0, 256, (20, 20, 3), np.uint8)
  cropped = crop.crop_image(image, CropBox(-10.0, -10.0, 40.0), 40)
  rows = np.clip(np.arange(40) - 10, 0, 19)
  np.testing.assert_array_equal(cropped, image[rows[:, None], rows])
  # A mirror image would differ.
  mirrored = np.pad(image, ((10, 10), (10, 10), (0, 0)), 'reflect')
  assert (cropped != mirrored).mean() > 0.5


def test_window_far_outside():
  image = np.zeros((4, 4, 3), np.uint8)
  image[0, 3] = (9, 8, 7)
  part = crop.window(image, 10, -5, 13, -2)
  np.testing.assert_array_equal(part, np.full((3, 3, 3), (9, 8, 7)))
