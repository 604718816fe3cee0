"""Alignment against OpenCV and geometry; cosine similarity."""

import cv2
import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.metrics import identity


def _face(scale=1.0, angle=0.0, shift=(0.0, 0.0)):
  """68 points whose five are the template's, moved; and the movement."""
  turn = scale * np.array(
    [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
  )
  five = (
    identity.ARCFACE.points @ turn.T + shift + 0.5
  )  # centres at half-integers
  points = np.zeros((68, 2))
  points[36:42], points[42:48] = five[0], five[1]
  points[30], points[48], points[54] = five[2:]
  return points, turn


def _picture(height, width):
  """Smooth colours, another in every corner."""
  y, x = np.mgrid[:height, :width] + 0.0
  planes = [x / width, y / height, 0.5 + 0.5 * np.sin(x / 9) * np.cos(y / 7)]
  return (255 * np.stack(planes, -1)).round().astype(np.uint8)


@pytest.mark.parametrize('angle', [0.0, 0.4, -2.0])
@pytest.mark.parametrize('scale', [0.5, 1.0, 2.2])
def test_five_points_land_on_the_template(scale, angle):
  points, _ = _face(scale, angle, (30.0, -7.0))
  five = identity.five_points(points) - 0.5
  matrix = identity.similarity_transform(five, identity.ARCFACE.points)
  moved = five @ matrix[:, :2].T + matrix[:, 2]
  np.testing.assert_allclose(moved, identity.ARCFACE.points, atol=1e-9)


def test_the_transform_is_the_least_squares_one_and_never_mirrors():
  rng = np.random.default_rng(0)
  source = identity.ARCFACE.points + rng.normal(scale=3, size=(5, 2))
  found = identity.similarity_transform(source, identity.ARCFACE.points)

  def error(matrix):
    moved = source @ matrix[:, :2].T + matrix[:, 2]
    return np.square(moved - identity.ARCFACE.points).sum()

  a, b = found[0, 0], found[1, 0]
  np.testing.assert_allclose(found[:, :2], [[a, -b], [b, a]])  # turn and scale
  for _ in range(200):
    da, db, *shift = rng.normal(scale=[1e-3, 1e-3, 0.1, 0.1])
    other = found + np.array([[da, -db, shift[0]], [db, da, shift[1]]])
    assert error(other) >= error(found)
  mirrored = source * [-1, 1]
  turned = identity.similarity_transform(mirrored, identity.ARCFACE.points)
  assert np.linalg.det(turned[:, :2]) > 0


def test_a_face_in_place_is_cut_out_unchanged():
  frame = _picture(160, 150)
  points, _ = _face(shift=(20, 30))
  found = identity.align(frame[None], points[None])
  assert found.dtype == np.float32 and found.shape == (1, 112, 112, 3)
  wanted = frame[30:142, 20:132] / 255
  np.testing.assert_allclose(found[0], wanted, atol=1e-6)


def test_a_turned_face_is_turned_back():
  frame = _picture(112, 112)
  points, turn = _face(angle=0.3, scale=1.5, shift=(40, 10))
  matrix = np.concatenate([turn, [[40], [10]]], 1)
  moved = cv2.warpAffine(frame, matrix, (260, 260))
  found = identity.align(moved[None], points[None])[0]
  inside = np.s_[20:-20, 20:-20]
  np.testing.assert_allclose(found[inside], frame[inside] / 255, atol=0.02)


@pytest.mark.parametrize(
  'spoil',
  [
    lambda frame, points: (frame[..., ::-1], points),
    lambda frame, points: (frame.transpose(1, 0, 2), points),
    lambda frame, points: (frame, points[..., ::-1]),
    lambda frame, points: (frame, points + 3),
  ],
)
def test_spoilt_input_gives_another_face(spoil):
  frame, (points, _) = _picture(150, 150), _face(shift=(20, 10))
  right = identity.align(frame[None], points[None])
  frame, points = spoil(frame, points)
  wrong = identity.align(np.ascontiguousarray(frame)[None], points[None])
  assert np.abs(wrong - right).mean() > 0.01


@pytest.mark.parametrize(
  'change, message',
  [
    (lambda f, p: (f / 255, p), 'float64 .*uint8'),
    (lambda f, p: (f[0], p), 'uint8 .F, H, W, 3. is needed'),
    (lambda f, p: (f, p[:, :5]), r'points: shape \(2, 5, 2\) given'),
    (lambda f, p: (f, p[:1]), r'points: shape \(1, 68, 2\) given'),
    (lambda f, p: (f, p * 0), 'of frame 0: all points lie in one place'),
    (lambda f, p: (f, p * np.nan), 'of frame 0'),
  ],
)
def test_what_is_no_face_is_refused(change, message):
  frames = np.stack([_picture(120, 120)] * 2)
  points = np.stack([_face()[0]] * 2)
  with pytest.raises(UserError, match=message):
    identity.align(*change(frames, points))


def test_cosine_similarity():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(2, 6, 512))
  found = identity.cosine_similarity(a, b)
  wanted = [
    (x / np.linalg.norm(x)) @ (y / np.linalg.norm(y))
    for x, y in zip(a, b, strict=True)
  ]
  np.testing.assert_allclose(found, wanted, rtol=1e-12)
  # The length of an embedding means nothing: without this, CSIM is wrong.
  np.testing.assert_allclose(identity.cosine_similarity(7 * a, b), found)
  np.testing.assert_allclose(identity.cosine_similarity(a, a), 1)
  np.testing.assert_allclose(identity.cosine_similarity(a, -a), -1)
  for wrong in (0 * a, a * np.nan):
    with pytest.raises(UserError, match='zero or not finite'):
      identity.cosine_similarity(a, wrong)
