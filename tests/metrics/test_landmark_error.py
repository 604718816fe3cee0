"""NME by hand, detection at another size, failures, the face's hull."""

from typing import NamedTuple

import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.metrics import landmark_error


class FakeFace(NamedTuple):
  points: np.ndarray


def _face(centre=(32, 32), radius=12.0):
  """68 points on a circle; the outer eye corners 20 px apart."""
  angle = np.linspace(0, 2 * np.pi, 68, endpoint=False)
  points = np.stack([np.cos(angle), np.sin(angle)], -1) * radius + centre
  points[36] = np.add(centre, (-10, 0))
  points[45] = np.add(centre, (10, 0))
  return points


def test_nme_by_hand():
  truth = np.stack([_face(), _face((30, 28))])  # eye corners 20 px apart
  predicted = truth.copy()
  predicted[0] += (3, 4)  # every point 5 px off
  predicted[1, 8] += (0, 34)  # one of 68 points 34 px off
  np.testing.assert_allclose(
    landmark_error.landmark_error(predicted, truth), [5 / 20, 34 / 68 / 20]
  )


def test_nme_does_not_depend_on_the_size_of_the_image():
  truth = _face()
  predicted = truth + np.random.default_rng(0).normal(size=truth.shape)
  np.testing.assert_allclose(
    landmark_error.landmark_error(predicted, truth),
    landmark_error.landmark_error(4 * predicted, 4 * truth),
  )


@pytest.mark.parametrize(
  ('predicted', 'truth', 'message'),
  [
    (np.zeros((67, 2)), np.zeros((67, 2)), r'68, 2\] is needed'),
    (np.zeros((2, 68, 2)), np.zeros((68, 2)), 'differ in shape'),
    (_face(), np.zeros((68, 2)), 'coincide'),
  ],
)
def test_wrong_points_are_refused(predicted, truth, message):
  with pytest.raises(UserError, match=message):
    landmark_error.landmark_error(predicted, truth)


def _marked_frames(num_frames, size):
  """Frames whose brightness tells the detector which one it sees."""
  frames = np.zeros((num_frames, size, size, 3), np.uint8)
  frames += (np.arange(num_frames) * 10).astype(np.uint8)[:, None, None, None]
  return frames


def _detected(frames, truth, detector):
  found = landmark_error.detect_points(frames, detector)
  return landmark_error.detected_landmark_error(found, truth)


def test_small_frames_are_enlarged_and_points_scaled_back():
  truth = np.stack([_face(), _face((30, 30))])
  seen = []

  def detector(picture):
    seen.append(picture.shape)
    return [FakeFace(4 * (truth[picture[0, 0, 0] // 10] + (0, 2)))]

  found = _detected(_marked_frames(2, 64), truth, detector)
  assert seen == [(256, 256, 3)] * 2
  np.testing.assert_allclose(found.errors, [2 / 20] * 2)
  np.testing.assert_allclose(found.mean, 2 / 20)
  assert found.failure_rate == 0


def test_large_frames_stay_as_they_are():
  truth = _face((150, 150))[None]
  frames = np.random.default_rng(0).integers(0, 256, (1, 300, 300, 3), np.uint8)

  def detector(picture):
    np.testing.assert_array_equal(picture, frames[0])
    return [FakeFace(truth[0])]

  found = _detected(frames, truth, detector)
  assert found.mean == 0


def test_failures_are_counted_and_left_out_of_the_mean():
  truth = np.stack([_face()] * 4)
  answers = iter([
    [],
    [FakeFace(4 * (truth[0] + (0, 1))), FakeFace(4 * truth[0])],
    [FakeFace(4 * (truth[0] + (0, 3)))],
    [],
  ])  # fmt: skip
  found = _detected(_marked_frames(4, 64), truth, lambda _: next(answers))
  np.testing.assert_allclose(found.errors, [np.nan, 1 / 20, 3 / 20, np.nan])
  np.testing.assert_allclose(found.mean, 2 / 20)  # the largest faces
  assert found.failure_rate == 0.5


def test_no_face_at_all_has_no_mean():
  found = _detected(
    _marked_frames(3, 64), np.stack([_face()] * 3), lambda _: []
  )
  assert np.isnan(found.mean)
  assert found.failure_rate == 1


@pytest.mark.parametrize(
  ('frames', 'num_points', 'message'),
  [
    (np.zeros((2, 64, 64, 3), np.float32), 2, r'uint8 \[F, H, W, 3\]'),
    (np.zeros((64, 64, 3), np.uint8), 2, r'uint8 \[F, H, W, 3\]'),
    (np.zeros((2, 64, 64, 3), np.uint8), 3, 'one set a frame'),
  ],
)
def test_wrong_frames_are_refused(frames, num_points, message):
  truth = np.stack([_face()] * num_points)
  with pytest.raises(UserError, match=message):
    _detected(frames, truth, lambda _: [])


def test_keypoint_distance_does_not_know_the_detectors_bias():
  truth = np.stack([_face(), _face(), _face()])
  found_in_truth = truth + (5, 0)  # the detector is off on this face
  found = found_in_truth + (0, 2)
  found[1] = np.nan
  found_in_truth[2] = np.nan
  distance = landmark_error.keypoint_distance(found, found_in_truth, truth)
  np.testing.assert_allclose(distance, [2 / 20, np.nan, np.nan])
  asked = landmark_error.detected_landmark_error(found, truth)
  np.testing.assert_allclose(asked.errors[0], np.hypot(5, 2) / 20)
  np.testing.assert_allclose(asked.failure_rate, 1 / 3)
  with pytest.raises(UserError, match='differ in shape'):
    landmark_error.keypoint_distance(found[:2], found_in_truth, truth)


def _square(low, high):
  """68 points on the outline of a square."""
  step = np.linspace(low, high, 18)[:-1]
  flat = np.full_like(step, low)
  sides = [(step, flat), (flat + high - low, step), (high + low - step,
           flat + high - low), (flat, high + low - step)]  # fmt: skip
  return np.concatenate([np.stack(side, -1) for side in sides])


def test_mask_of_a_square_is_that_square():
  mask = landmark_error.face_mask(_square(4, 10), 16)
  expected = np.zeros((16, 16), bool)
  expected[4:10, 4:10] = True  # pixel centres at half-integers
  np.testing.assert_array_equal(mask, expected)


def test_mask_is_not_transposed_and_takes_points_outside():
  points = _square(4, 10)
  points[:, 0] += 8  # to the right, over the edge
  masks = landmark_error.face_mask(np.stack([points, points]), 16)
  assert masks.shape == (2, 16, 16)
  expected = np.zeros((16, 16), bool)
  expected[4:10, 12:] = True
  np.testing.assert_array_equal(masks[1], expected)


def test_mask_of_points_without_area_is_empty():
  assert not landmark_error.face_mask(np.ones((68, 2)), 16).any()
