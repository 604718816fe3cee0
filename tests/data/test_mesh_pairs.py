"""Pairs of frames for the bi-layer generator: which, and their meshes."""

import numpy as np

from flaxheads.data import episodes, mixture
from flaxheads.data.augment import augment
from flaxheads.data.mesh_pairs import MIRROR, NUM_VERTICES, MeshPairs
from flaxheads.landmarks import head_mesh, layout
from tests import tiny_bilayer

POINTS = tiny_bilayer.make_points(9, seed=1)


def _choose(still_share, count=40, num_support=1, max_turn=25.0):
  pairs = MeshPairs(still_share, max_turn)
  return [
    pairs(POINTS, num_support, np.random.default_rng(i)) for i in range(count)
  ]


def test_moving_pairs_are_of_two_frames_and_still_ones_of_neighbours():
  for chosen, _ in _choose(still_share=0.0):
    assert chosen[0] != chosen[1]
  distances = [abs(chosen[0] - chosen[1]) for chosen, _ in _choose(1.0)]
  assert set(distances) == {0, 1}


def test_support_frames_differ_from_the_pair():
  for chosen, vertices in _choose(still_share=0.3, num_support=4):
    assert len(chosen) == 5 and len(set(chosen[:4])) == 4
    assert chosen[-1] not in chosen[1:4]
    assert vertices.shape == (5, NUM_VERTICES, 3)
    others = np.setdiff1d(np.arange(68), head_mesh.UPPER_LIDS)
    np.testing.assert_array_equal(
      vertices[:, others, :2], POINTS[chosen][:, others]
    )


def test_large_turns_are_rare():
  track = head_mesh.fit_head(POINTS)
  ahead = track.motion.rotation[..., 2]
  yaw = np.degrees(np.arctan2(ahead[:, 0], ahead[:, 2]))

  def turns(max_turn):
    chosen = [c for c, _ in _choose(0.0, count=200, max_turn=max_turn)]
    return np.mean([abs(yaw[a] - yaw[b]) for a, b in chosen])

  assert turns(1.0) < 0.8 * turns(180.0)


def test_samples_carry_meshes_in_pixels_of_the_frames():
  record = tiny_bilayer.make_record(0, num_frames=5)
  source = mixture.as_mixture([record])
  pairs = MeshPairs(0.3, 25.0)
  full, half = (
    episodes.make_episodes(source, 1, size, 0, pairs)[7] for size in (64, 32)
  )
  np.testing.assert_allclose(half[1][..., :2], full[1][..., :2] / 2, rtol=1e-6)
  np.testing.assert_array_equal(half[1][..., 2], full[1][..., 2])  # cm


def test_a_mirrored_mesh_is_the_mesh_of_the_mirrored_points():
  vertices = head_mesh.mesh_vertices(head_mesh.fit_head(POINTS))
  mirrored = POINTS[:, layout.MIRROR] * (-1, 1) + (64, 0)
  wanted = head_mesh.mesh_vertices(head_mesh.fit_head(mirrored))
  ours = vertices[:, MIRROR] * (-1, 1, 1) + (64, 0, 0)
  # The statistics of faces are symmetric but for their own noise.
  assert np.abs(ours - wanted)[..., :2].max() < 1.0


def test_augmentation_moves_places_and_keeps_depths():
  config = tiny_bilayer.make_config().augment
  batch = tiny_bilayer.make_batch(tiny_bilayer.make_config(), 2)
  import jax

  keys = jax.random.split(jax.random.key(0), 2)
  _, moved = augment(keys, batch.frames, batch.points, config, MIRROR)
  depth = np.asarray(moved[..., 2])
  same = np.array_equal(depth, batch.points[..., 2])
  flipped = np.array_equal(depth[0], batch.points[0][:, MIRROR, 2]) or (
    np.array_equal(depth[1], batch.points[1][:, MIRROR, 2])
  )
  assert same or flipped
