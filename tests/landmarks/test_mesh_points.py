"""The 68 points from the mesh's 478, on stored outputs of MediaPipe."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from flaxheads.landmarks import layout, mesh_points
from tests.landmarks.mediapipe_reference import FIGURES

_STORED = np.load(FIGURES)
_AHEAD = ('astronaut', 'selfie_man', 'painting_lady_white', 'lp_d6')
_VERTICES = mesh_points._VERTICES


def _mesh(name):
  return _STORED[f'{name}/points']


def _outside(points, polygon):
  """Signed distance of points to a convex polygon, positive outside: [N]."""
  hull = ConvexHull(polygon)
  normals, offsets = hull.equations[:, :2], hull.equations[:, 2]
  return (points @ normals.T + offsets).max(-1)


@pytest.mark.parametrize('name', _AHEAD)
def test_faces_that_look_ahead_have_the_vertices(name):
  mesh = _mesh(name)
  np.testing.assert_array_equal(mesh_points.landmarks(mesh), mesh[_VERTICES])


def test_the_far_side_of_a_turned_face_is_its_outline():
  mesh = _mesh('pearl_earring')
  points = mesh_points.landmarks(mesh)
  size = np.linalg.norm(points[45] - points[36])
  inner = np.delete(points, layout.JAW, 0)
  far = [1, 2, 3, 4]
  # The jaw's own vertices lie within the other points, behind the cheek.
  assert (_outside(mesh[_VERTICES][far], inner) < 0).any()
  assert (_outside(points[far], inner) > 0).all()
  inside = -_outside(points[far], mesh[:468])
  assert (inside < 0.035 * size).all() and (inside > -1e-3).all()
  rest = list(range(7, 68))
  np.testing.assert_array_equal(points[rest], mesh[_VERTICES][rest])


def test_a_tilted_image_tilts_the_points():
  mesh = _mesh('pearl_earring').astype(np.float64)
  c, s = np.cos(0.5), np.sin(0.5)
  turn = np.array([[c, s], [-s, c]])
  tilted = mesh_points.landmarks((mesh @ turn).astype(np.float32))
  wanted = mesh_points.landmarks(mesh) @ turn
  np.testing.assert_allclose(tilted, wanted, atol=2e-3)


def test_small_movements_move_the_outline_little():
  """A hull's edges come and go; the points on it stay continuous."""
  mesh = _mesh('pearl_earring')
  rng, before = np.random.default_rng(0), mesh_points.landmarks(mesh)
  for _ in range(20):
    noise = rng.normal(0, 0.01, mesh.shape)
    after = mesh_points.landmarks((mesh + noise).astype(np.float32))
    assert np.abs(after - before).max() < 0.3
