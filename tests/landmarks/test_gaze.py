"""Gaze: the same in every crop, bridged over blinks, shown in an image."""

import numpy as np
import pytest

from flaxheads.landmarks import gaze, layout
from tests.faces import face_points

SIZE = 256
IRIS = 0.2  # of an eye's width


def make_mesh(gaze_of_both, opening=0.3):
  """A mesh [478, 3] whose eyes are 40 and 50 pixels wide."""
  mesh = np.zeros((478, 3))
  eyes = ((33, 133, 159, 145, 468), (362, 263, 386, 374, 473))
  for numbers, width, place in zip(eyes, (40, 50), gaze_of_both, strict=True):
    shape = [(-0.5, 0), (0.5, 0), (0, -opening / 2), (0, opening / 2), place]
    mesh[list(numbers), :2] = (100 + width, 80) + width * np.array(shape)
  return mesh


def test_it_is_measured_in_any_position():
  truth = np.array([[0.1, -0.05], [-0.12, 0.02]])
  mesh = make_mesh(truth)
  np.testing.assert_allclose(gaze.measure(mesh), truth, atol=1e-6)
  turn = np.array([[0.6, -0.8], [0.8, 0.6]])
  mesh[:, :2] = 3 * mesh[:, :2] @ turn.T + (7, -90)
  np.testing.assert_allclose(gaze.measure(mesh), truth, atol=1e-6)
  assert np.isnan(gaze.measure(make_mesh(truth, opening=0.1))).all()


def test_blinks_are_bridged():
  seen = np.full((5, 2, 2), np.nan)
  assert gaze.fill(seen) is None
  seen[1, 0], seen[3, 0] = (0.1, 0), (0.3, 0.2)
  filled = gaze.fill(seen)
  np.testing.assert_allclose(filled[:, 0, 0], [0.1, 0.1, 0.2, 0.3, 0.3])
  np.testing.assert_array_equal(filled[:, 1], filled[:, 0])  # as the other eye
  assert np.isnan(gaze.smooth_gaze(seen * np.nan, 25.0, np.arange(5))).all()


def test_noise_goes_and_glances_stay():
  rng = np.random.default_rng(0)
  truth = np.zeros((60, 2, 2))
  truth[30:, :, 0] = 0.15
  noisy = truth + rng.normal(0, 0.004, truth.shape)
  smooth = gaze.smooth_gaze(noisy, 25.0, np.arange(60))
  still = np.r_[5:25, 35:55]
  errors = [np.square(g - truth)[still].mean() for g in (noisy, smooth)]
  assert errors[1] < 0.6 * errors[0]
  assert (smooth[30:, :, 0].min(0) > 0.12).all()
  assert (smooth[:30, :, 0].max(0) < 0.03).all()


def picture(gaze_of_both):
  """White eyes with black irises in red skin, and the 68 points."""
  points = face_points(SIZE).astype(float)
  x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
  image = np.full((SIZE, SIZE, 3), (200, 0, 0), np.uint8)
  for eye, place in zip(
    (layout.LEFT_EYE, layout.RIGHT_EYE), gaze_of_both, strict=True
  ):
    width = points[eye[3], 0] - points[eye[0], 0]
    middle = (points[eye[0]] + points[eye[3]]) / 2
    shape = [(-0.5, 0), (-0.2, -0.2), (0.2, -0.2), (0.5, 0), (0.2, 0.2)]
    points[list(eye)] = middle + width * np.array([*shape, (-0.2, 0.2)])
    u, v = (x - middle[0]) / width, (y - middle[1]) / width
    open_at = np.interp(np.abs(u), [0.2, 0.5], [0.2, 0]) + 0.06
    image[(np.abs(v) < open_at) & (np.abs(u) < 0.52)] = 255
    image[np.hypot(u - place[0], v - place[1]) < IRIS] = 0
  return image, points


def iris_of(image, points, eye):
  """The centre of what is dark, in eye widths from the middle."""
  left, right = points[eye[0]], points[eye[3]]
  rows, columns = np.nonzero(image[..., 1:].sum(-1) + image[..., 0] < 150)
  centres = np.stack([columns, rows], -1) + 0.5
  near = np.linalg.norm(centres - (left + right) / 2, axis=1) < SIZE / 8
  return (centres[near].mean(0) - (left + right) / 2) / (right - left)[0]


@pytest.mark.parametrize('step', [(0.1, 0.0), (-0.1, 0.0), (0.0, 0.04)])
def test_irises_move_inside_their_eyes(step):
  was = np.array([[0.02, 0.0], [-0.03, 0.0]])
  image, points = picture(was)
  shown = gaze.show(image, points, was, was + step)
  for number, eye in enumerate((layout.LEFT_EYE, layout.RIGHT_EYE)):
    found = iris_of(shown, points, eye) - iris_of(image, points, eye)
    np.testing.assert_allclose(found[0], step[0], atol=0.02)
    low, high = points[list(eye)].min(0) - 3, points[list(eye)].max(0) + 3
    image[int(low[1]) : int(high[1]), int(low[0]) : int(high[0])] = 0
    inside = points[list(eye)].mean(0).astype(int)
    # No skin is drawn into the opening.
    patch = shown[inside[1] - 2 : inside[1] + 3, inside[0] - 8 : inside[0] + 9]
    assert (np.ptp(patch.astype(int), -1) < 60).all(), number
  changed = image.any(-1)  # all but the eyes
  original, _ = picture(was)
  np.testing.assert_array_equal(shown[changed], original[changed])


def test_nothing_moves_without_a_change_or_a_gaze():
  was = np.array([[0.0, 0.0], [0.05, 0.0]])
  image, points = picture(was)
  assert gaze.show(image, points, was, was) is image
  assert gaze.show(image, points, was * np.nan, was) is image
  shut = points.copy()
  for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
    shut[upper] = shut[lower]
  np.testing.assert_array_equal(gaze.show(image, shut, was, was + 0.1), image)
