"""ICT-FaceKit's people, and the correspondence that dresses them."""

import numpy as np
import pytest
import scipy.spatial.transform

from flaxheads.data.scanned_heads import (
  builder,
  correspondence,
  families,
  ict,
  meshes,
)
from flaxheads.errors import UserError


def _sphere(rows=9, columns=14):
  """Positions and faces of a closed unit sphere."""
  polar = np.linspace(0, np.pi, rows)[1:-1, None]
  turn = np.linspace(0, 2 * np.pi, columns, endpoint=False)
  ring = np.stack(
    [
      np.sin(polar) * np.cos(turn),
      np.sin(polar) * np.sin(turn),
      np.cos(polar) + 0 * turn,
    ],
    -1,
  ).reshape(-1, 3)
  points = np.concatenate([ring, [[0, 0, 1], [0, 0, -1]]])
  faces = scipy.spatial.ConvexHull(points).simplices
  corners = points[faces]
  outwards = np.cross(
    corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
  )
  inside = (outwards * corners.mean(1)).sum(-1) < 0
  faces[inside] = faces[inside][:, ::-1]
  return points, faces


def test_alignment_recovers_a_similarity():
  rng = np.random.default_rng(0)
  source = rng.normal(size=(20, 3))
  turn = scipy.spatial.transform.Rotation.random(random_state=1).as_matrix()
  target = 1.7 * source @ turn.T + [3, -2, 5]
  found = correspondence.align(source, target)
  assert found.scale == pytest.approx(1.7)
  np.testing.assert_allclose(found.rotation, turn, atol=1e-9)
  np.testing.assert_allclose(found(source), target, atol=1e-5)


def test_closest_points_of_a_sphere_lie_below_the_points():
  points, faces = _sphere()
  mesh = correspondence.surface(points, faces)
  rng = np.random.default_rng(0)
  way = rng.normal(size=(200, 3))
  way /= np.linalg.norm(way, axis=1, keepdims=True)
  triangle, weights, apart = correspondence.closest(mesh, 1.5 * way, chunk=64)
  at = (points[faces[triangle]] * weights[..., None]).sum(1)
  np.testing.assert_allclose(weights.sum(1), 1)
  np.testing.assert_allclose(np.linalg.norm(at - 1.5 * way, axis=1), apart)
  # The sphere's triangles are within a tenth of its radius of the sphere.
  assert (apart >= 0.5 - 1e-9).all() and (apart < 0.62).all()


def test_a_sphere_is_laid_on_an_ellipsoid():
  points, faces = _sphere(13, 24)
  goal = points * [1.0, 1.2, 0.9] + 0.02 * np.sin(5 * points[:, [1, 2, 0]])
  marked = np.arange(0, len(points), 7)
  made = correspondence.fit(
    points, faces, marked, correspondence.surface(goal, faces), goal[marked]
  )
  before = np.linalg.norm(points - goal, axis=1).max()
  assert np.linalg.norm(made - goal, axis=1).max() < 0.25 * before
  np.testing.assert_allclose(made[marked], goal[marked], atol=0.02)


def test_what_is_attached_follows_shifts_and_its_neighbours():
  points, _ = _sphere(13, 24)
  follow = correspondence.attach(points, 1.3 * points[:5])
  np.testing.assert_allclose(follow.sum(1), 1, atol=1e-6)
  shift = np.tile(np.float32([1, 2, 3]), (len(points), 1))
  np.testing.assert_allclose(follow @ shift, shift[:5], atol=1e-5)
  near = points[follow[0].indices] - points[0]
  assert (
    np.average(np.linalg.norm(near, axis=1), weights=follow[0].data) < 0.5
  )  # of a sphere of radius 1


def test_border_triangles_have_an_edge_of_their_own():
  # A fan around vertex 0, closed: the rim is the border; two rings around it.
  inner = [(0, k, k % 5 + 1) for k in range(1, 6)]
  outer = [
    triangle
    for k in range(1, 6)
    for triangle in ((k, k + 5, k % 5 + 1), (k % 5 + 1, k + 5, k % 5 + 6))
  ]
  found = meshes.border_triangles(np.array(inner + outer, np.int32))
  assert {tuple(t) for t in found} == {outer[k] for k in range(1, 10, 2)}


def test_families_are_those_of_the_options_and_ict_is_never_in_training():
  assert set(builder.FAMILIES) == set(families.FAMILIES)
  options = builder.ScannedHeadsOptions(family='ict', num_test_identities=3)
  assert set(options.people()) == {'test'}
  others = builder.ScannedHeadsOptions(num_test_identities=50).people()
  assert not set(options.people()['test']) & set(others['test'])
  assert options.num_clips() == 3 * options.clips_per_identity
  with pytest.raises(UserError, match='num_test_identities'):
    builder.ScannedHeadsOptions(family='ict', num_test_identities=0)
  with pytest.raises(UserError, match='family'):
    builder.ScannedHeadsOptions(family='smpl')


def test_ict_people_differ_and_their_points_are_in_the_layouts_order(
  real_assets,
):
  people = families.FAMILIES['ict']
  shapes = []
  for index in (0, 1):
    person = people.sample(real_assets, 0, index)
    made = people.build(real_assets, person)
    points = made.rest[made.landmarks]
    assert (np.diff(points[1:16, 0]) > 0).all()  # the jaw, left to right
    assert points[8, 1] < points[57, 1] < points[33, 1] < points[27, 1]
    assert points[36, 0] < made.eyes[0, 0] < points[39, 0] < 0
    shut = people.unit_names(real_assets).index('eyeBlinkLeft')
    lids = (made.rest + made.units[shut])[made.landmarks]
    # The subject's left is the image's right: eye 42 to 47.
    assert lids[43, 1] - lids[47, 1] < 0.25 * (points[43, 1] - points[47, 1])
    np.testing.assert_allclose(lids[36:42], points[36:42], atol=0.05)
    shapes.append(points)
  assert 0.1 < np.linalg.norm(shapes[0] - shapes[1], axis=1).mean() < 2  # cm


def test_ict_lies_on_makehumans_head(real_assets):
  template = ict.load(real_assets)
  _, surface = ict.body(real_assets)
  place = template.place[template.skin.vertices].astype(float)
  apart = correspondence.closest(surface, place)[2]
  assert np.quantile(apart, 0.9) < 0.2 and apart.max() < 1.0  # cm
