"""Synthetic heads: keys decide all, and the points lie on the drawing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from flaxheads.data import synthetic_heads
from flaxheads.data.synthetic_heads import camera, head, tracing
from flaxheads.data.synthetic_heads import points as points_lib
from flaxheads.data.synthetic_heads.scene import make_scene
from flaxheads.errors import UserError
from flaxheads.landmarks import crop, landmark_files, layout
from tests.launch.commands import call

pytestmark = pytest.mark.usefixtures('fast_programs')  # hundreds of images

SIZE = 64


def _identity(n):
  return synthetic_heads.sample_identity(jax.random.key(n))


def _motion(n, num_frames=4):
  return synthetic_heads.sample_motion(jax.random.key(n), num_frames)


def _still(**fields):
  """One frame of a head at rest, looking ahead, with some fields set."""
  rest = jax.tree.map(jnp.zeros_like, _motion(0, 1))
  rest = rest._replace(
    zoom=rest.zoom + 1,
    light_power=rest.light_power + 1,
    light_elevation=rest.light_elevation + 0.5,
  )
  return rest._replace(
    **{name: jnp.full((1,), value) for name, value in fields.items()}
  )


def _plain(n=3):
  """A person with nothing in front of the face."""
  return _identity(n)._replace(
    glasses=jnp.float32(0),
    beard=jnp.float32(0),
    moustache=jnp.float32(0),
    hairline=jnp.float32(7),
  )


def _drawn(identity, motion):
  return synthetic_heads.render_frames(identity, motion, SIZE)[0].astype(int)


def _differs(a, b):
  """Where two images differ: bool [S, S]."""
  return np.abs(a - b).max(-1) > 8


def _changed(first, second, motion):
  """Where two people's images differ: bool [S, S]."""
  return _differs(_drawn(first, motion), _drawn(second, motion))


def _box(mask):
  """x0, y0, x1, y1 of the pixels that are set, at their outer edges."""
  y, x = np.nonzero(mask)
  return np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])


def _points_box(points, group):
  chosen = points[list(group)]
  return np.concatenate([chosen.min(0), chosen.max(0)])


def test_clip_depends_on_its_numbers_alone():
  frames, points = synthetic_heads.make_clip(1, 2, 5, SIZE)
  again, points_again = synthetic_heads.make_clip(1, 2, 5, SIZE)
  assert frames.dtype == np.uint8 and frames.shape == (5, SIZE, SIZE, 3)
  assert points.dtype == np.float32 and points.shape == (5, 68, 2)
  np.testing.assert_array_equal(frames, again)
  np.testing.assert_array_equal(points, points_again)
  for other in ((2, 2, 0), (1, 3, 0), (1, 2, 1)):
    different, _ = synthetic_heads.make_clip(
      other[0], other[1], 5, SIZE, motion_index=other[2]
    )
    assert np.abs(different.astype(int) - frames).mean() > 4, other


def test_other_motion_is_the_same_person(monkeypatch):
  drawn = []
  monkeypatch.setattr(
    synthetic_heads,
    'render_frames',
    lambda identity, motion, image_size: drawn.append((identity, motion)),
  )
  for motion_index in (0, 1):
    synthetic_heads.make_clip(4, 7, 3, SIZE, motion_index=motion_index)
  (first, first_motion), (second, second_motion) = drawn
  for a, b in zip(first, second, strict=True):
    np.testing.assert_array_equal(a, b)
  assert np.abs(first_motion.yaw - second_motion.yaw).max() > 1e-3
  assert first_motion.light_azimuth[0] != second_motion.light_azimuth[0]


def test_other_person_with_the_same_motion_has_other_points():
  motion = _motion(5)
  first = synthetic_heads.head_points(_identity(1), motion, SIZE)
  second = synthetic_heads.head_points(_identity(2), motion, SIZE)
  assert np.linalg.norm(first - second, axis=-1).max() > 1


def test_motion_is_smooth_and_within_its_ranges():
  for n in range(8):
    motion = _motion(n, 200)
    points = synthetic_heads.head_points(_identity(n), motion, 1)
    # At 25 frames a second nothing crosses a twentieth of the image.
    assert np.linalg.norm(np.diff(points, axis=0), axis=-1).max() < 0.05
    # Accelerations are bounded, too, by those of a blink: no jitter.
    assert np.linalg.norm(np.diff(points, 2, axis=0), axis=-1).max() < 0.04
    assert np.abs(motion.yaw).max() <= np.pi / 4
    for name in ('jaw', 'pucker', 'blink_left', 'blink_right'):
      value = getattr(motion, name)
      assert value.min() >= 0 and value.max() <= 1, name


def test_points_scale_with_the_image():
  identity, motion = _identity(1), _motion(2)
  small = synthetic_heads.head_points(identity, motion, 64)
  large = synthetic_heads.head_points(identity, motion, 256)
  np.testing.assert_allclose(4 * small, large, rtol=1e-5)


def test_points_lie_inside_and_in_anatomical_order():
  for n in range(12):
    points = synthetic_heads.head_points(_identity(n), _motion(n, 60), 1)
    assert points.min() > 0 and points.max() < 1
    still = synthetic_heads.head_points(_identity(n), _still(), 1)[0]
    x, y = still.T
    assert (np.diff(x[:17]) > 0).all() and (np.diff(y[:9]) > 0).all()
    assert (np.diff(x[17:27]) > 0).all()
    assert (np.diff(y[27:31]) > 0).all() and (np.diff(x[31:36]) > 0).all()
    assert (np.diff(x[48:55]) > 0).all() and (np.diff(x[60:65]) > 0).all()
    assert x[36] < x[39] < x[42] < x[45]
    assert (y[[37, 38, 43, 44]] < y[[41, 40, 47, 46]]).all()
    brows, eyes = y[17:27].max(), y[36:48].min()
    assert brows < eyes < y[30] < y[33] < y[51] < y[57] < y[8]


def test_head_at_rest_is_symmetric():
  points = synthetic_heads.head_points(_identity(6), _still(), 1)[0]
  mirrored = points[layout.MIRROR] * [-1, 1] + [1, 0]
  np.testing.assert_allclose(points, mirrored, atol=1e-4)


def _reach(scene, height, nearest, farthest):
  """How far aside the skin between two depths is seen at a height, cm."""
  aside, ahead = jnp.linspace(4, 9, 251), jnp.linspace(farthest, nearest, 51)
  aside, ahead = jnp.meshgrid(aside, ahead)
  skin, _ = head.skin(
    scene.identity, scene.face, scene.neck_base, aside, height, ahead
  )
  return jnp.where(skin < 0, aside / (1 - ahead / camera.DISTANCE), 0).max()


@jax.jit
def _widths(identity, motion):
  """Of contour points beside the cheek, of cheek and ear there, [3, 2], cm."""
  scene = make_scene(identity, jax.tree.map(lambda m: m[0], motion))
  x, y, z = (c[jnp.array([14, 15])] for c in points_lib.points_in_head(scene))
  cheek, ear = (
    jnp.stack([_reach(scene, height, *depths) for height in y])
    for depths in ((7.5, 1.0), (1.0, -4.0))
  )
  return jnp.stack([x / (1 - z / camera.DISTANCE), cheek, ear])


def test_from_ahead_the_cheek_ends_at_its_points_and_the_ear_beyond():
  # A photograph's contour is its points. A mesh takes what lies beyond them
  # for the head's side, which widens as the head turns.
  for n in range(12):
    contour, cheek, ear = _widths(_identity(n), _still())
    assert (cheek < contour + 0.35).all(), n
    assert (ear > cheek).all(), n


def test_rays_along_a_cheek_reach_what_is_behind():
  scene = make_scene(_identity(4), jax.tree.map(lambda m: m[0], _still()))

  @jax.jit
  def count(scene):
    tiles = tracing.make_tiles(scene, 2 * SIZE)
    hits = tracing.trace(scene, tiles, 2 * SIZE, SIZE)
    return tracing.unfinished(hits).sum()

  assert count(scene) == 0  # they would show the backdrop


def test_framing_is_that_of_the_crop():
  for n in range(8):
    points = synthetic_heads.head_points(_identity(n), _motion(n, 60), 1)
    box = crop.crop_box(points)
    assert 0.75 < box.side < 1.3
    assert abs(box.x0 + box.side / 2 - 0.5) < 0.15
    assert abs(box.y0 + box.side / 2 - 0.5) < 0.15


@pytest.mark.parametrize('fields', [{}, {'jaw': 0.8}, {'yaw': 0.5}])
def test_lips_are_drawn_where_their_points_are(fields):
  person, motion = _plain(), _still(**fields)
  red = person._replace(lip=jnp.array([0.9, 0.0, 0.0]))
  blue = person._replace(lip=jnp.array([0.0, 0.0, 0.9]))
  drawn = _box(_changed(red, blue, motion))
  points = synthetic_heads.head_points(person, motion, SIZE)[0]
  expected = _points_box(points, layout.OUTER_LIPS)
  np.testing.assert_allclose(drawn, expected, atol=1.6)


def test_irises_are_drawn_between_the_eyelids_points():
  person = _plain()
  bright = person._replace(iris=jnp.array([0.2, 0.9, 0.2]))
  dark = person._replace(iris=jnp.array([0.02, 0.0, 0.02]))
  motion = _still(yaw=-0.3)
  mask = _changed(bright, dark, motion)
  points = synthetic_heads.head_points(person, motion, SIZE)[0]
  assert mask.sum() >= 6
  for group in (layout.LEFT_EYE, layout.RIGHT_EYE):
    x0, y0, x1, y1 = _points_box(points, group)
    low_x, low_y = int(np.floor(x0 - 1)), int(np.floor(y0 - 1))
    eye = mask[low_y : int(y1 + 2), low_x : int(x1 + 2)]
    assert eye.any()
    mask[low_y : int(y1 + 2), low_x : int(x1 + 2)] = False
  assert not mask.any()  # nothing of an iris elsewhere
  shut = _still(yaw=-0.3, blink_left=1.0, blink_right=1.0)
  assert _changed(bright, dark, shut).sum() <= 2
  points = synthetic_heads.head_points(person, shut, SIZE)[0]
  gap = points[[41, 40, 47, 46], 1] - points[[37, 38, 43, 44], 1]
  assert np.abs(gap).max() < 0.6


FACTORS = {
  'skin': [0.1, 0.05, 0.03],
  'hair': [0.6, 0.4, 0.1],
  'iris': [0.1, 0.9, 0.9],
  'lip': [0.5, 0.0, 0.2],
  'nose_forward': 1.5,
  'nose_width': 1.4,
  'mouth_width': 1.25,
  'face_length': 1.12,
  'jaw_width': 1.3,
  'head_width': 1.15,
  'eye_spacing': 0.4,
  'brow_thickness': 0.8,
  'ear_size': 0.5,
  'hair_top': 3.0,
  'hair_length': 16.0,
  'hair_cover': 0.0,
  'beard': 1.0,
  'moustache': 1.0,
  'glasses': 1.0,
  'age': 1.0,
  'collar_height': 3.0,
  'cloth': [[0.6, 0.0, 0.0], [0.0, 0.6, 0.0]],
  'cloth_pattern': [1.0, 0.0, 0.0, 0.0],
  'backdrop_style': [0.0, 1.0, 0.0, 0.0, 0.0],
}


def test_each_factor_alone_changes_the_image():
  person = _plain()._replace(
    hair_cover=jnp.float32(1),
    hair_length=jnp.float32(0),
    hair_top=jnp.float32(0.8),
    collar_height=jnp.float32(0),
    age=jnp.float32(0),
    cloth_pattern=jnp.zeros(4),
    backdrop_style=jnp.array([1.0, 0, 0, 0, 0]),
  )
  motion = _still(yaw=0.2, brow_left=0.3, brow_right=0.3)
  before = _drawn(person, motion)
  for name, value in FACTORS.items():
    other = person._replace(**{name: jnp.array(value, jnp.float32)})
    assert _differs(before, _drawn(other, motion)).sum() >= 3, name


def test_a_detector_of_real_faces_agrees():
  detect = pytest.importorskip('flaxheads.landmarks.detect')
  detector = detect.make_detector(often=True)
  errors = []
  for n in range(6):
    identity = _identity(n)
    motion = jax.tree.map(lambda m: m[::20], _motion(n, 80))
    frames = synthetic_heads.render_frames(identity, motion, SIZE)
    points = synthetic_heads.head_points(identity, motion, 4 * SIZE)
    for frame, ours in zip(frames, points, strict=True):
      enlarged = Image.fromarray(frame).resize((4 * SIZE, 4 * SIZE))
      faces = detector(np.asarray(enlarged))
      assert len(faces) == 1
      apart = np.linalg.norm(faces[0].points - ours, axis=-1).mean()
      errors.append(apart / layout.inter_ocular_distance(ours))
  assert np.mean(errors) < 0.06
  assert np.max(errors) < 0.2


def test_other_sizes_are_refused():
  with pytest.raises(UserError, match='image_size=100.*64, 128, 256, 512'):
    synthetic_heads.render_frames(_identity(0), _motion(0), 100)


def test_launch_writes_clips_with_landmarks(tmp_path):
  done = call(
    'render_heads',
    f'--output={tmp_path}',
    '--num_identities=1',
    '--num_frames=3',
    '--image_size=64',
  )
  assert done.code == 0, done.err
  assert (tmp_path / '0000.mp4').stat().st_size > 500
  assert (tmp_path / 'sheet.png').is_file()
  landmarks = landmark_files.load_landmarks(tmp_path / '0000.landmarks.npz')
  _, points = synthetic_heads.make_clip(0, 0, 3, 64)
  np.testing.assert_allclose(landmarks.points, points, atol=1e-3)
  np.testing.assert_allclose(landmarks.times, [0, 0.04, 0.08])


def test_launch_says_what_is_missing():
  done = call('render_heads', '--image_size=64')
  assert done.code == 2 and '--output is missing' in done.err
  assert 'Traceback' not in done.err
