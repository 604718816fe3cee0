"""Detection on a public-domain portrait, and on real footage where given."""

import sys
import types

import numpy as np
import pytest
from PIL import Image

from flaxheads.data.image import read_image
from flaxheads.errors import UserError
from flaxheads.landmarks import detect, layout

pytest.importorskip('mediapipe')


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
  # Read off the picture by eye, in pixels.
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


def test_mirrored_picture_gives_mirrored_points(detector, portrait):
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


def test_small_face_in_a_large_picture(detector, portrait):
  (face,) = detector(_scene(portrait, 1200, 1600, [(900, 500, 130)]))
  assert 900 < face.centre[0] < 1030 and 30 < face.size < 70


def test_face_that_fills_the_picture(detector, portrait):
  x0, y0, x1, y1 = (round(n) for n in detector(portrait)[0].box)
  (face,) = detector(np.ascontiguousarray(portrait[y0:y1, x0:x1]))
  assert face.size > 0.8 * (x1 - x0)


@pytest.mark.parametrize(
  'shape', [(1, 1, 3), (3, 200, 3), (24, 1700, 3), (300, 300, 3)]
)
def test_no_face(detector, shape):
  noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
  assert detector(noise) == []


def test_tracking_agrees_with_detection(detector, portrait):
  tracker = detect.make_detector(tracking=True)
  for x in range(0, 60, 5):
    image = np.roll(portrait, x, axis=1)
    (tracked,), (detected,) = tracker(image), detector(image)
    eyes = layout.inter_ocular_distance(detected.points)
    distance = np.linalg.norm(tracked.points - detected.points, axis=-1)
    assert distance.mean() < 0.06 * eyes
  assert tracker(np.full_like(portrait, 90)) == []
  assert len(tracker(portrait)) == 1


def test_start_is_silent(capfd, portrait):
  detect.make_detector()(portrait)
  detect.make_detector(tracking=True)(portrait)
  assert capfd.readouterr().err == ''


def test_unknown_messages_pass(capfd):
  import os

  from flaxheads.landmarks.quiet import quiet

  with quiet():
    os.write(2, b'W0000 00:00 inference_feedback_manager.cc:114] chatter\n')
    os.write(2, b'something else\n')
  assert capfd.readouterr().err == 'something else\n'


def test_unknown_detector():
  with pytest.raises(UserError, match="'dlib'.*mediapipe, face_alignment"):
    detect.make_detector('dlib')


@pytest.mark.parametrize('name', detect.DETECTORS)
def test_missing_package_names_the_command(monkeypatch, name):
  for module in [m for m in sys.modules if m.split('.')[0] == name]:
    monkeypatch.delitem(sys.modules, module)
  monkeypatch.setitem(sys.modules, name, None)  # makes the import fail
  with pytest.raises(UserError, match='not installed; run: pip install'):
    detect.make_detector(name)


def test_face_alignment_is_sorted_and_centred(monkeypatch):
  small = np.random.default_rng(0).uniform(0, 10, (68, 2))
  found = [small, 20 + 3 * small]
  package = types.SimpleNamespace(
    LandmarksType=types.SimpleNamespace(TWO_D=1),
    FaceAlignment=lambda kind, device: types.SimpleNamespace(
      get_landmarks_from_image=lambda image: found if image.any() else None
    ),
  )
  cuda = types.SimpleNamespace(is_available=lambda: False)
  monkeypatch.setitem(sys.modules, 'face_alignment', package)
  monkeypatch.setitem(sys.modules, 'torch', types.SimpleNamespace(cuda=cuda))
  detector = detect.make_detector('face_alignment')
  faces = detector(np.ones((60, 60, 3), np.uint8))
  # Whole pixels mean their centres.
  np.testing.assert_allclose(faces[0].points, 20.5 + 3 * small, rtol=1e-6)
  np.testing.assert_allclose(faces[1].points, 0.5 + small, rtol=1e-5)
  assert detector(np.zeros((60, 60, 3), np.uint8)) == []


def test_overlap():
  assert detect.overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1
  assert detect.overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
  assert detect.overlap((0, 0, 2, 2), (2, 0, 3, 2)) == 0


def test_real_portraits(detector, real_clips):
  for path in sorted((real_clips / 'portraits').iterdir()):
    expected = 0 if path.name.startswith('edge_') else 1
    assert len(detector(read_image(path))) == expected, path.name
