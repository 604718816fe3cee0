"""The host's rasters are those that are compiled for training."""

import jax
import numpy as np
import pytest

from flaxheads.landmarks import head_mesh, head_warp, host_raster, rasterise
from tests.faces import face_points

SIDE, WINDOW = 64, 40


@pytest.fixture(scope='module')
def heads():
  """Vertices of four heads, one of them turned, and windows about them."""
  points = np.stack(
    [face_points(SIDE, (3 * i, -2 * i), mouth=0.06 * i) for i in range(4)]
  )
  points[3, :, 0] = SIDE / 2 + 0.4 * (points[3, :, 0] - SIDE / 2)
  vertices = head_mesh.mesh_vertices(head_mesh.fit_head(points))
  origin = np.array([[12, 12], [0, 24], [24, 0], [5, 7]], np.float32)
  return vertices[[1, 2, 3, 0]], vertices, origin


def test_the_warp_is_that_of_the_device(heads):
  source, target, origin = heads
  ours = host_raster.warp_field(source, target, SIDE, origin, WINDOW)
  theirs = jax.jit(head_warp.warp_field, static_argnums=(2, 4))(
    source, target, SIDE, origin, WINDOW
  )
  for name, wanted in theirs._asdict().items():
    got, wanted = getattr(ours, name), np.asarray(wanted)
    assert got.dtype == wanted.dtype and got.shape == wanted.shape
    # A pixel on the edge of two triangles may belong to either.
    close = np.isclose(got, wanted, atol=2e-3)
    assert close.mean() > 0.999, name


def test_samples_are_those_of_the_device(heads):
  rng = np.random.default_rng(0)
  images = rng.uniform(-1, 1, (4, SIDE, SIDE, 3)).astype(np.float32)
  xy = rng.uniform(-5, SIDE + 5, (4, 9, 9, 2)).astype(np.float32)
  np.testing.assert_allclose(
    host_raster.sample_bilinear(images, xy),
    jax.jit(head_warp.sample_bilinear)(images, xy),
    atol=1e-5,
  )


def test_landmark_images_are_those_of_the_device(heads):
  points = heads[1][:, :68, :2] - heads[2][:, None]
  np.testing.assert_allclose(
    host_raster.landmark_images(points, WINDOW),
    jax.jit(rasterise.rasterise_landmarks, static_argnums=1)(points, WINDOW),
    atol=1e-5,
  )
