"""People made of photographs: composition, choice of parts, folders."""

import dataclasses

import jax
import numpy as np
import pytest

from flaxheads.data.support import Portrait, Support
from flaxheads.errors import UserError
from flaxheads.fewshot.animation_job import RenderOptions
from flaxheads.fewshot.composition import compose
from flaxheads.fewshot.mesh_target import Target
from flaxheads.fewshot.person import animate, animate_batches
from flaxheads.fewshot.person_folder import load_person, save_person
from flaxheads.fewshot.photo_composer import PhotoComposer
from flaxheads.fewshot.photo_parts import PartChooser, part_costs
from flaxheads.fewshot.photo_person import (
  PhotoPerson,
  native_size,
  photo_person,
)
from flaxheads.landmarks import head_mesh
from flaxheads.landmarks.crop import CropBox, crop_image
from flaxheads.landmarks.head_warp import sample_bilinear, warp_field
from tests.faces import face_points

SIZE = 96


def photograph(seed=0, size=SIZE):
  """Smooth waves of colour."""
  rng = np.random.default_rng(seed)
  x, y = np.meshgrid(np.arange(size), np.arange(size))
  waves = [
    127 + 100 * np.sin(x * a + y * b) for a, b in rng.uniform(0, 0.2, (3, 2))
  ]
  return np.stack(waves, -1).astype(np.uint8)


def vertices(*points):
  track = head_mesh.fit_head(np.stack(points))
  return head_mesh.mesh_vertices(track)


def composed(image, source, target):
  source, target = vertices(source, target)
  source, placed = head_mesh.place_vertices(source, target, SIZE)
  return compose(image, source, Target(placed, (0, 0, SIZE, SIZE)))


@pytest.mark.parametrize('mouth', [0.0, 0.1])
def test_a_photograph_at_its_own_points_stays_to_the_bit(mouth):
  image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
  points = face_points(SIZE, mouth=mouth)
  np.testing.assert_array_equal(composed(image, points, points), image)


def test_host_and_device_agree():
  image = photograph()
  points = face_points(SIZE, mouth=0.1), face_points(SIZE, (4, -3), mouth=0.2)
  host = composed(image, *points).astype(float)
  source, target = vertices(*points)
  field = jax.jit(warp_field, static_argnums=2)(
    source[None], target[None], SIZE
  )
  device = sample_bilinear(image[None].astype(np.float32), field.xy)[0]
  apart = np.abs(host - np.asarray(device)).max(-1)
  assert np.median(apart) < 1
  assert (apart > 8).mean() < 0.02  # edges of lids and lips are softer here


def test_choices_change_for_a_clearly_better_one_and_fade():
  chooser = PartChooser()
  np.testing.assert_array_equal(chooser(np.array([1.0, 2.0])), [1, 0])
  for _ in range(5):  # a little better is not enough
    np.testing.assert_array_equal(chooser(np.array([1.0, 0.9])), [1, 0])
  weights = [chooser(np.array([1.0, 0.5])) for _ in range(12)]
  assert 0 < weights[0][1] < 1
  assert (np.diff([w[1] for w in weights]) >= 0).all()
  np.testing.assert_array_equal(weights[-1], [0, 1])
  np.testing.assert_allclose(np.sum(weights, 1), 1)


def test_parts_are_compared_by_themselves():
  wide, shut = face_points(SIZE, mouth=0.2), face_points(SIZE)
  costs = part_costs(np.stack([shut, wide]), wide[None] + (0.5, 0))
  assert costs['mouth'][0, 1] < 0.2 * costs['mouth'][0, 0]
  assert costs['eyes'].max() < 0.05 < costs['mouth'][0, 0]


def test_the_mouth_comes_from_the_photograph_that_shows_it():
  shut, wide = face_points(SIZE), face_points(SIZE, mouth=0.2)
  grey = np.full((SIZE, SIZE, 3), 128, np.uint8)
  teeth = grey.copy()
  x, y = wide[[62, 66]].mean(0).round().astype(int)
  teeth[y - 2 : y + 3, x - 3 : x + 4] = 250
  for edge in (np.s_[:12], np.s_[:, :12], np.s_[:, -12:]):
    teeth[edge] = 20  # another scene: the rest is the first photograph's
  composer = PhotoComposer(np.stack([grey, teeth]), np.stack([shut, wide]))
  frame = composer(wide[None], composer.start())[0]
  assert frame[y, x].min() > 200
  assert (frame[0] == 128).all()


def test_another_background_is_never_shown():
  images = np.stack([np.full((SIZE, SIZE, 3), v, np.uint8) for v in (60, 200)])
  points = np.stack([face_points(SIZE), face_points(SIZE, (9, 0))])
  composer = PhotoComposer(images, points)
  frame = composer(points[1:], composer.start())[0]
  assert np.abs(frame[:4].astype(int) - 60).max() <= 1


def person(count=2):
  images = np.stack([photograph(seed) for seed in range(count)])
  points = [face_points(SIZE, (2 * i, 0), mouth=0.1 * i) for i in range(count)]
  return PhotoPerson(
    frame=images[0],
    support_points=np.stack(points).astype(np.float32),
    info={'method': 'photographs'},
    photographs=images,
  )


def test_videos_of_photographs_show_the_portrait_unless_asked_otherwise():
  alone = person()
  portrait = Portrait(photograph(), CropBox(0, 0, SIZE))
  whole = dataclasses.replace(alone, portrait=portrait)
  assert RenderOptions().pastes_back(whole)
  assert not RenderOptions().pastes_back(alone)
  assert not RenderOptions(size=256).pastes_back(whole)
  assert not RenderOptions(paste_back=False).pastes_back(whole)
  assert RenderOptions(paste_back=True, size=256).pastes_back(whole)


def test_batches_are_of_one_size_and_do_not_matter():
  points = np.stack([face_points(SIZE, (0.3 * i, 0)) for i in range(5)])
  whole = animate(person(), points)
  assert whole.shape == (5, SIZE, SIZE, 3)
  sizes = {len(b.frames) for b in person().generate_batches(points, 2)}
  assert sizes == {2}
  np.testing.assert_array_equal(
    np.concatenate(list(animate_batches(person(), points, 2))), whole
  )


def test_a_saved_person_is_the_same(tmp_path):
  gaze = np.float32([[[0.1, 0], [0.05, -0.02]]] * len(person().photographs))
  save_person(tmp_path / 'me', dataclasses.replace(person(), gaze=gaze))
  again = load_person(str(tmp_path / 'me'))
  np.testing.assert_array_equal(again.gaze, gaze)
  np.testing.assert_array_equal(again.photographs, person().photographs)
  points = face_points(SIZE, (1, 2))[None]
  np.testing.assert_array_equal(
    animate(again, points), animate(person(), points)
  )


@pytest.mark.parametrize('count', [0, 10**6, 'two', None])
def test_impossible_folders_are_refused(count):
  with pytest.raises(UserError, match='photographs'):
    PhotoPerson.expected({'num_photographs': count, 'image_size': 64})


def test_people_have_the_resolution_of_their_photograph():
  assert [native_size(s) for s in (40, 300, 3000)] == [128, 304, 1024]
  image = np.random.default_rng(1).integers(0, 256, (400, 400, 3), np.uint8)
  box = CropBox(20.0, 30.0, 304.0)
  frames = np.zeros((1, 1024, 1024, 3), np.uint8)
  points = face_points(1024)[None]
  support = Support(
    frames, points, [], np.array([box.side]), Portrait(image, box)
  )
  made = photo_person(support)
  np.testing.assert_array_equal(made.frame, crop_image(image, box, 304))
  np.testing.assert_allclose(made.points, points[0] * 304 / 1024, rtol=1e-5)


def test_eyes_follow_a_gaze():
  points = face_points(SIZE, mouth=0.1)
  gaze = np.zeros((1, 2, 2), np.float32)
  composer = PhotoComposer(photograph()[None], points[None], None, gaze)
  plain = composer(points[None])
  np.testing.assert_array_equal(composer(points[None], gaze=gaze), plain)
  (moved,) = composer(points[None], gaze=gaze + (0.1, 0.0))
  _, columns = np.nonzero((moved != plain[0]).any(-1))
  eyes = points[36:48]
  assert eyes[:, 0].min() - 3 < columns.min()
  assert columns.max() < eyes[:, 0].max() + 3
