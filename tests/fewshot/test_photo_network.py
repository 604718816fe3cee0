"""Corrections of a network in the frames of a person of photographs."""

import json

import numpy as np
import pytest

from flaxheads.data.support import Portrait, Support
from flaxheads.errors import UserError
from flaxheads.fewshot import bilayer_model
from flaxheads.fewshot.bilayer_model import BilayerModel
from flaxheads.fewshot.composition import compose
from flaxheads.fewshot.mesh_target import Target
from flaxheads.fewshot.person import animate
from flaxheads.fewshot.person_folder import load_person, save_person
from flaxheads.fewshot.photo_network import NativeCorrection
from flaxheads.fewshot.photo_person import photo_person
from flaxheads.landmarks import head_mesh, layout
from flaxheads.landmarks.crop import CropBox
from tests import tiny_bilayer
from tests.faces import face_points

SIZE = 128


def _photograph():
  x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
  waves = [
    127 + 100 * np.sin(x * a + y * b) for a, b in ((2, 1), (1, 3), (0, 2))
  ]
  return np.round(np.stack(waves, -1) * 0.5 + 60).clip(0, 255).astype(np.uint8)


def _correction(mask, flow=(0, 0), rgb=0, left=30, top=40, size=50):
  shape = (size, size)
  return NativeCorrection(
    left,
    top,
    np.full((*shape, 1), mask, np.float32),
    np.broadcast_to(np.float32(flow), (*shape, 2)).copy(),
    np.full((*shape, 3), rgb, np.float32),
  )


def _meshes(points):
  """The mesh in a photograph, and in a frame, from the points of both."""
  vertices = head_mesh.mesh_vertices(head_mesh.fit_head(np.stack(points)))
  source, placed = head_mesh.place_vertices(*vertices, SIZE)
  return source, Target(placed, (0, 0, SIZE, SIZE))


def _composed(correction, box=None):
  """The photograph at its own points: without correction it is unchanged."""
  source, target = _meshes([face_points(SIZE, mouth=0.1)] * 2)
  return compose(_photograph(), source, target, box, correction)


def test_a_correction_that_keeps_everything_changes_nothing():
  np.testing.assert_array_equal(_composed(_correction(1)), _photograph())


def _eyes(opening, shown):
  """Levels at the middle of both eyes: a network draws 200 over black."""
  points = np.stack([face_points(SIZE, mouth=0.1)] * 2)
  for face, share in zip(points, (shown, opening), strict=True):
    for upper, lower in (*layout.LEFT_LIDS, *layout.RIGHT_LIDS):
      face[upper] = face[lower] + share * (face[upper] - face[lower])
  source, target = _meshes(points)
  black = np.zeros((SIZE, SIZE, 3), np.uint8)
  grey = _correction(0, rgb=200, left=0, top=0, size=SIZE)
  frame = compose(black, source, target, None, grey)
  centres = [outline.mean(0) for outline, _ in target.eyes(source)]
  return [int(frame[int(y), int(x), 0]) for x, y in centres]


def test_eyes_that_the_photograph_shows_are_its_own():
  assert _eyes(1, 1) == [0, 0]
  assert all(80 < level < 120 for level in _eyes(0, 1))  # half
  assert all(level > 190 for level in _eyes(1, 0))  # the network opens them


def test_new_colours_take_their_share_of_the_window():
  below_eyes = _correction(0.25, rgb=200, top=76)
  frame, image = _composed(below_eyes), _photograph()
  wanted = image.astype(float)
  wanted[76:126, 30:80] = 200 + 0.25 * (wanted[76:126, 30:80] - 200)
  np.testing.assert_allclose(frame, wanted, atol=0.51)


def test_a_flow_moves_where_pixels_come_from():
  frame, image = _composed(_correction(1, flow=(3, -2))), _photograph()
  np.testing.assert_array_equal(frame[40:90, 30:80], image[38:88, 33:83])
  np.testing.assert_array_equal(frame[:40], image[:40])


def test_a_part_of_the_frame_is_corrected_alike():
  correction = _correction(0.5, flow=(1, 1), rgb=30)
  left, top, right, bottom = box = (20, 60, 70, 100)
  part, whole = _composed(correction, box), _composed(correction)
  np.testing.assert_array_equal(part, whole[top:bottom, left:right])
  assert correction.within(90, 0, 20, 20) is None


def _model(mask_bias=0.0):
  config = tiny_bilayer.make_config()
  params = tiny_bilayer.make_params(config)
  del params['discriminator']
  head = params['generator']['to_mask_and_flow']
  if mask_bias:
    head['kernel'][:] = 0
    head['bias'][:] = (mask_bias, 0, 0)
  return BilayerModel(config.model, params, {'name': 'tiny'})


def _person(model):
  image = _photograph()
  support = Support(
    image[None],
    face_points(SIZE, mouth=0.1)[None],
    [],
    np.array([SIZE]),
    Portrait(image, CropBox(0, 0, SIZE)),
  )
  return photo_person(support, model)


DRIVER = np.stack([face_points(SIZE, (i, 0), mouth=0.1 * i) for i in range(3)])


def test_a_network_that_keeps_the_photograph_is_the_mesh_alone():
  ours, alone = animate(_person(_model(50.0)), DRIVER), _person(None)
  np.testing.assert_array_equal(ours, animate(alone, DRIVER))


def test_the_program_for_long_clips_gives_the_same_frames():
  person = _person(_model())
  args = (DRIVER, None, None)
  few, many = (person._composer(*args, many=many) for many in (False, True))
  assert np.abs(few.astype(int) - many).max() <= 1
  assert bilayer_model.build_generator.cache_info().currsize >= 2


def test_a_folder_keeps_the_network(tmp_path):
  person = _person(_model())
  frames = animate(person, DRIVER)
  assert (frames != animate(_person(None), DRIVER)).any()
  save_person(str(tmp_path / 'person'), person)
  read = load_person(str(tmp_path / 'person'))
  assert read.info['method'] == 'bi-layer'
  np.testing.assert_array_equal(animate(read, DRIVER), frames)


@pytest.mark.parametrize('network', [3, {'base_channels': 16}, {'window': 1}])
def test_a_folder_with_another_network_is_refused(tmp_path, network):
  folder = tmp_path / 'person'
  save_person(str(folder), _person(_model()))
  path = folder / 'person.json'
  description = json.loads(path.read_text())
  if isinstance(network, dict):
    network = {**description['network'], **network}
  path.write_text(json.dumps({**description, 'network': network}))
  with pytest.raises(UserError):
    load_person(str(folder))
