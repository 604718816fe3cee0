"""Detection on a public-domain portrait, and on real footage where given."""

import numpy as np
import pytest
from PIL import Image

from flaxheads.data.image import read_image
from flaxheads.landmarks import detect, layout


@pytest.fixture(scope='module', name='detector')
def _detector():
  return detect.make_detector()


@pytest.fixture(scope='module', name='portrait')
def _portrait():
  """An official portrait (NASA, public domain), uint8 [512, 512, 3]."""
  return pytest.importorskip('skimage.data').astronaut()


def test_points_are_where_the_parts_are(detector, portrait):
  (face,) = detector(portrait)
  points = face.points
  assert points.shape == (68, 2) and points.dtype == np.float32
  # Read off the image by eye, in pixels.
  for indices, place in [
    (layout.LEFT_EYE, (202, 101)),
    (layout.RIGHT_EYE, (246, 103)),
    ((33,), (223, 131)),
    (layout.INNER_LIPS, (222, 145)),
    ((8,), (223, 178)),
  ]:
    middle = points[list(indices)].mean(0)
    assert np.linalg.norm(middle - place) < 4, (indices, middle)
  np.testing.assert_allclose(face.box[:2], points.min(0))
  np.testing.assert_allclose(face.box[2:], points.max(0))


def test_mirrored_image_gives_mirrored_points(detector, portrait):
  (face,) = detector(portrait)
  (flipped,) = detector(np.ascontiguousarray(portrait[:, ::-1]))
  back = flipped.points[layout.MIRROR] * [-1, 1] + [portrait.shape[1], 0]
  distance = np.linalg.norm(back - face.points, axis=-1)
  assert distance.mean() < 0.05 * layout.inter_ocular_distance(face.points)


@pytest.mark.parametrize('scale', [0.5, 2.0])
def test_resizing_multiplies_the_points(detector, portrait, scale):
  (face,) = detector(portrait)
  side = int(512 * scale)
  resized = np.asarray(Image.fromarray(portrait).resize((side, side)))
  (other,) = detector(resized)
  distance = np.linalg.norm(other.points / scale - face.points, axis=-1)
  assert distance.mean() < 0.05 * layout.inter_ocular_distance(face.points)


def _scene(portrait, height, width, places):
  """Grey with the portrait's head pasted at (x, y, side) each."""
  head = Image.fromarray(portrait[0:256, 100:356])
  scene = Image.new('RGB', (width, height), (120, 125, 130))
  for x, y, side in places:
    scene.paste(head.resize((side, side), Image.Resampling.BOX), (x, y))
  return np.asarray(scene)


def test_several_faces_largest_first(detector, portrait):
  places = [(20, 200, 160), (250, 60, 256), (560, 150, 200)]
  faces = detector(_scene(portrait, 480, 800, places))
  assert len(faces) == 3
  heads = sorted(places, key=lambda place: -place[2])
  for face, (x, _, side) in zip(faces, heads, strict=True):
    assert x < face.centre[0] < x + side
  assert faces[0].size > faces[1].size > faces[2].size


def test_small_face_in_a_large_image(detector, portrait):
  (face,) = detector(_scene(portrait, 1200, 1600, [(900, 500, 130)]))
  assert 900 < face.centre[0] < 1030 and 30 < face.size < 70


def test_face_that_fills_the_image(detector, portrait):
  x0, y0, x1, y1 = (round(n) for n in detector(portrait)[0].box)
  (face,) = detector(np.ascontiguousarray(portrait[y0:y1, x0:x1]))
  assert face.size > 0.8 * (x1 - x0)


@pytest.mark.parametrize(
  'shape', [(1, 1, 3), (3, 200, 3), (24, 1700, 3), (300, 300, 3)]
)
def test_no_face(detector, shape):
  noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
  assert detector(noise) == []


@pytest.mark.parametrize('turns', [1, 2, 3])
def test_a_turned_face_is_found_and_told(detector, portrait, turns):
  (face,) = detector(portrait)
  assert face.quarter_turns == 0
  turned = np.ascontiguousarray(np.rot90(portrait, -turns))
  (other,) = detector(turned)
  assert other.quarter_turns == turns
  (again,) = detector(np.ascontiguousarray(np.rot90(turned, turns)))
  np.testing.assert_array_equal(again.points, face.points)
  # Turned about the image's centre, the points are the upright face's.
  x, y = (other.points - 256).T
  for _ in range(turns):
    x, y = y, -x
  back = np.stack([x, y], -1) + 256
  distance = np.linalg.norm(back - face.points, axis=-1)
  assert distance.mean() < 0.03 * layout.inter_ocular_distance(face.points)


def test_several_images_at_once_are_as_one_by_one(portrait):
  detector = detect.make_detector(often=True)
  images = [portrait, portrait[:9, :9], portrait[::2, ::2], 0 * portrait]
  images = [np.ascontiguousarray(image) for image in images]
  together = detector.many(images)
  assert [len(faces) for faces in together] == [1, 0, 1, 0]
  for image, faces in zip(images, together, strict=True):
    for face, alone in zip(faces, detector(image), strict=True):
      np.testing.assert_array_equal(face.points, alone.points)
  assert detector.many([]) == []


def test_tracking_agrees_with_detection(detector, portrait):
  (face,) = detector(portrait)
  eyes = layout.inter_ocular_distance(face.points)
  moved = [np.roll(portrait, x, axis=1) for x in range(0, 30, 5)]
  moved.append(np.full_like(portrait, 90))
  *tracked, lost = detector.track(moved, face)
  assert lost is None
  for number, each in enumerate(tracked):
    distance = np.linalg.norm(
      each.points - face.points - (5 * number, 0), axis=-1
    )
    assert distance.mean() < 0.02 * eyes


def test_overlap():
  assert detect.overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1
  assert detect.overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
  assert detect.overlap((0, 0, 2, 2), (2, 0, 3, 2)) == 0


def test_real_portraits(detector, real_clips):
  for path in sorted((real_clips / 'portraits').iterdir()):
    expected = 0 if path.name.startswith('edge_') else 1
    assert len(detector(read_image(path))) == expected, path.name
