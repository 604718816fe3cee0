"""The head mesh and its warp: geometry against independent formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from flaxheads.landmarks import face_shape, head_mesh, layout
from flaxheads.landmarks.head_warp import sample_bilinear, warp_field

SIZE = 64


def _face(yaw=0.0, pitch=0.0, shift=(32.0, 30.0), opened=0.0):
  """The average face in a pose, [68, 2] in pixels of a 64 image."""
  rotation = face_shape._rotations(np.array([[pitch, yaw, 0.0]]))
  none = np.zeros((1, len(face_shape.statistics().expression)))
  motion = face_shape.Motion(rotation, np.array([2.0]), None, none)
  shape = face_shape.statistics().mean.copy()
  shape[[56, 57, 58, 65, 66, 67], 1] -= opened
  return face_shape.project(shape, motion)[0] * (1, -1) + shift


def _vertices(*faces):
  rest = face_shape.statistics().mean
  return head_mesh.mesh_vertices(head_mesh.fit_head(np.stack(faces), rest))


FIELD = jax.jit(warp_field, static_argnames=('image_size', 'size', 'step'))


def _signed_areas(places, triangles):
  a, b, c = np.moveaxis(places[triangles], 1, 0)
  (ux, uy), (vx, vy) = (b - a).T, (c - a).T
  return (ux * vy - uy * vx) / 2


def _polygon_area(loop):
  x, y = loop.T
  return (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2


def test_mesh_covers_everything_once_and_is_symmetric():
  triangles, labels, outlines = head_mesh.topology()
  places = head_mesh._canonical_places()
  areas = _signed_areas(places, triangles)
  assert (areas > 0).all()
  assert areas.sum() == pytest.approx((1.6 * 32) ** 2, rel=1e-3)
  assert len(np.unique(triangles)) == head_mesh.NUM_VERTICES + 16
  given = {
    (frozenset(t), label)
    for t, label in zip(
      map(tuple, triangles.tolist()), labels.tolist(), strict=True
    )
  }
  mirrored = {
    (frozenset(head_mesh.MIRROR[list(t)].tolist()), label) for t, label in given
  }
  assert mirrored == given
  # Mouth and eyes are exactly the polygons of their points.
  for loop, members in zip(
    outlines[1:],
    (layout.INNER_LIPS, layout.LEFT_EYE, layout.RIGHT_EYE),
    strict=True,
  ):
    assert sorted(loop) == sorted(members)
    inside = np.isin(triangles, members).all(1)
    assert areas[inside].sum() == pytest.approx(
      _polygon_area(places[list(loop)])
    )


@pytest.mark.parametrize('smile', [0.4, 0.8])
def test_a_smile_folds_no_skin(smile):
  """The corners of the mouth move outwards and up, by `smile` cm each way.

  The points beside them move by half.
  """
  triangles, labels, _ = head_mesh.topology()
  skin = (labels == head_mesh.HEAD) & (triangles < layout.NUM_POINTS).all(1)
  places = face_shape.statistics().mean[:, :2] * (1, -1)
  for members, share in (
    ((48, 60, 54, 64), 1.0),
    ((49, 59, 61, 67, 53, 55, 63, 65), 0.5),
  ):
    sides = np.sign(places[list(members), :1])
    places[list(members)] += share * smile * np.hstack([sides, -(sides**2)])
  areas = _signed_areas(places, triangles[skin])
  assert areas.min() > 0, triangles[skin][areas.argmin()]


def test_lips_and_lids_share_no_triangle():
  triangles, labels, _ = head_mesh.topology()
  for above, below in (
    ((49, 50, 51, 52, 53, 61, 62, 63), (55, 56, 57, 58, 59, 65, 66, 67)),
    ((37, 38), (40, 41)),
    ((43, 44), (46, 47)),
  ):
    both = np.isin(triangles, above).any(1) & np.isin(triangles, below).any(1)
    assert np.isin(labels[both], (head_mesh.MOUTH, head_mesh.EYE)).all()


def test_lashes_stay_on_a_lid_that_shuts():
  """Pixels below the points of an upper lid become the line of a shut eye."""
  size = 256
  opened = (_face() - (32.0, 30.0)) * 8 + size / 2
  shut = opened.copy()
  upper, lower = [37, 38, 43, 44], [41, 40, 47, 46]
  shut[upper] = shut[lower]
  source, target = _vertices(opened, shut)[:, None]
  field = FIELD(source, target, size)
  x, lid = opened[upper[:2]].mean(0)
  line = shut[upper[:2], 1].mean()
  from_y = np.asarray(field.xy[0, int(line) - 1, int(x), 1])
  assert 0.05 * (line - lid) < from_y - lid < 0.25 * (line - lid)


@pytest.mark.parametrize('yaw', [0.0, 0.5])
def test_identity_moves_nothing(yaw):
  vertices = _vertices(_face(yaw, opened=1.0))
  field = FIELD(vertices, vertices, SIZE)
  centres = np.stack(np.meshgrid(*[np.arange(SIZE) + 0.5] * 2), -1)
  assert np.abs(np.asarray(field.xy[0]) - centres).max() < 1e-5
  visible = np.asarray(field.seen[0, ..., 0]) > 0
  assert np.abs(np.asarray(field.log_stretch[0, ..., 0]))[visible].max() < 1e-3
  assert visible.mean() > 0.97


def test_a_shifted_face_comes_from_where_it_was():
  source, target = _vertices(_face(), _face(shift=(37.0, 27.0)))[:, None]
  field = FIELD(source, target, SIZE)
  row, column = 27, 37  # about the middle of the face
  offset = np.asarray(field.xy[0, row, column]) - (column + 0.5, row + 0.5)
  np.testing.assert_allclose(offset, (-5.0, 3.0), atol=1e-2)


def test_a_window_is_a_part_of_the_whole():
  source, target = _vertices(_face(0.1), _face(-0.2, opened=2.0))[:, None]
  whole = FIELD(source, target, SIZE)
  origin = jnp.array([[13.0, 21.0]])
  part = FIELD(source, target, SIZE, origin, size=24)
  for name in ('xy', 'labels', 'log_stretch', 'seen'):
    np.testing.assert_allclose(
      getattr(part, name)[0],
      getattr(whole, name)[0, 21:45, 13:37],
      atol=2e-3,
      err_msg=name,
    )


def test_the_nose_hides_the_cheek_behind_it():
  """On a turned head the frontmost of several triangles is chosen."""
  source, target = _vertices(_face(), _face(0.9))[:, None]
  field = FIELD(source, target, SIZE)
  triangles, _, _ = head_mesh.topology()
  places, depth = target[0, :, :2], target[0, :, 2]
  inner = triangles[(triangles < layout.NUM_POINTS).all(1)]
  areas = _signed_areas(places.astype(np.float64), inner)
  inner = inner[areas > 0.5]
  folded = 0
  for y in range(16, 48):
    for x in range(8, 56):
      point = np.array([x + 0.5, y + 0.5])
      hits = []
      for t in inner:
        a, b, c = places[t].astype(np.float64)
        weights = np.linalg.solve(np.stack([b - a, c - a], 1), point - a)
        weights = np.array([1 - weights.sum(), *weights])
        if weights.min() > 1e-3:
          hits.append((depth[t].mean(), weights @ source[0, t, :2]))
      if len(hits) < 2:
        continue
      folded += 1
      np.testing.assert_allclose(
        field.xy[0, y, x], max(hits, key=lambda hit: hit[0])[1], atol=0.05
      )
  assert folded > 5


def test_what_the_source_hides_is_not_seen():
  """A cheek that is turned away in the source is unseen when it faces us."""
  source, target = _vertices(_face(1.1), _face(0.0))[:, None]
  seen = np.asarray(FIELD(source, target, SIZE).seen[0, ..., 0])
  left, right = seen[20:44, 14:30], seen[20:44, 34:50]
  assert (
    min(left.mean(), right.mean()) < 0.7 < 0.95 < max(left.mean(), right.mean())
  )


def test_labels_measure_the_openings():
  shut, wide = _face(), _face(opened=3.0)
  shut[65:68] = shut[[63, 62, 61]]
  vertices = _vertices(shut, wide)
  field = FIELD(vertices, vertices, SIZE)
  areas = np.asarray(field.labels).sum((1, 2))  # [2, 3]
  assert areas[0, 0] < 0.05
  inner = wide[list(layout.INNER_LIPS)]
  assert areas[1, 0] == pytest.approx(_polygon_area(inner), rel=0.05)
  eyes = sum(
    _polygon_area(vertices[1, list(eye), :2])  # below the lashes
    for eye in (layout.LEFT_EYE, layout.RIGHT_EYE)
  )
  assert areas[1, 1] == pytest.approx(eyes, rel=0.05)
  # Antialiased: some pixels are covered in part.
  assert (
    (field.labels[1, ..., 0] > 0.05) & (field.labels[1, ..., 0] < 0.95)
  ).any()
  # Crossing lips cover nothing, either.
  crossed = shut.copy()
  crossed[65:68] -= (0, 2.0)
  vertices = _vertices(crossed)
  assert FIELD(vertices, vertices, SIZE).labels[..., 0].sum() < 0.3


def test_opened_lips_do_not_stretch_skin():
  """The lower lip takes its own pixels along; the gap is the mouth."""
  shut = _face()
  shut[65:68] = shut[[63, 62, 61]]
  opened = shut.copy()
  opened[[55, 56, 57, 58, 59, 65, 66, 67], 1] += 4.0
  source, target = _vertices(shut, opened)[:, None]
  field = FIELD(source, target, SIZE)
  middle = opened[[66, 57]].mean(0)  # on the lower lip
  x, y = middle.astype(int)
  assert field.xy[0, y, x, 1] == pytest.approx(y + 0.5 - 4.0, abs=0.3)
  x, y = opened[[62, 66]].mean(0).astype(int)
  assert field.labels[0, y, x, 0] == 1.0


def test_flipped_faces_give_flipped_fields():
  source, target = _vertices(_face(0.2), _face(-0.3, 0.1, (30.0, 33.0)))[
    :, None
  ]

  def flip(vertices):
    mirrored = vertices[:, head_mesh.MIRROR[: head_mesh.NUM_VERTICES]]
    return np.concatenate([SIZE - mirrored[..., :1], mirrored[..., 1:]], -1)

  plain = FIELD(source, target, SIZE)
  mirrored = FIELD(flip(source), flip(target), SIZE)
  back = np.asarray(mirrored.xy[0, :, ::-1]) * (-1, 1) + (SIZE, 0)
  apart = np.abs(back - np.asarray(plain.xy[0])).max(-1)
  assert (apart > 0.02).mean() < 0.002  # pixels on a fold may fall either way
  np.testing.assert_allclose(
    mirrored.labels[0, :, ::-1], plain.labels[0], atol=1e-3
  )


def test_sampling_against_scipy_and_its_gradient():
  rng = np.random.default_rng(0)
  image = rng.uniform(size=(2, 9, 11, 3)).astype(np.float32)
  xy = rng.uniform(-2, 13, (2, 5, 7, 2)).astype(np.float32)
  ours = np.asarray(sample_bilinear(image, xy))
  for b in range(2):
    for c in range(3):
      theirs = map_coordinates(
        image[b, ..., c],
        (xy[b, ..., 1] - 0.5, xy[b, ..., 0] - 0.5),
        order=1,
        mode='nearest',
      )
      np.testing.assert_allclose(ours[b, ..., c], theirs, atol=1e-5)

  weights = rng.normal(size=ours.shape).astype(np.float32)

  def loss(xy):
    return (sample_bilinear(image, xy) * weights).sum()

  gradient = np.asarray(jax.grad(loss)(xy))
  shift = 1e-3
  for axis in range(2):
    step = np.zeros(2, np.float32)
    step[axis] = shift
    both = [
      (np.asarray(sample_bilinear(image, xy + s * step)) * weights).sum(-1)
      for s in (1, -1)
    ]
    slope = (both[0] - both[1]) / (2 * shift)
    cell = (xy - 0.5) % 1  # no kink within the difference
    smooth = (np.minimum(cell, 1 - cell) > 0.01).all(-1)
    np.testing.assert_allclose(
      gradient[..., axis][smooth], slope[smooth], atol=5e-3
    )
