"""People and models on disk, and the animation of people."""

import dataclasses
import json
import os

import jax
import numpy as np
import pytest

from flaxheads import fewshot
from flaxheads.data.support import Portrait
from flaxheads.errors import UserError
from flaxheads.fewshot import folders
from flaxheads.fewshot.direct import best_batch_size
from flaxheads.landmarks.crop import CropBox
from tests import tiny_game


@pytest.fixture(scope='module')
def model():
  return tiny_game.make_model(tiny_game.make_config())


@pytest.fixture(scope='module')
def person(model):
  return fewshot.feed_forward(model, *tiny_game.make_faces(2))


@pytest.fixture
def saved(tmp_path, person):
  folder = tmp_path / 'people' / 'ada'
  fewshot.save_person(str(folder), person)
  return folder


@pytest.fixture(scope='module')
def points():
  return tiny_game.make_faces(17, seed=5)[1]


def test_batches_change_nothing(person, points):
  whole = fewshot.animate(person, points)
  assert whole.shape == (17, tiny_game.SIZE, tiny_game.SIZE, 3)
  assert whole.dtype == np.uint8
  first, rest = points[:1], points[1:]
  parts = [fewshot.animate(person, first), fewshot.animate(person, rest)]
  np.testing.assert_array_equal(whole, np.concatenate(parts))
  sizes = [len(batch) for batch in fewshot.animate_batches(person, points)]
  assert sizes == [16, 1]
  sizes = [len(batch) for batch in fewshot.animate_batches(person, points, 5)]
  assert sizes == [5, 5, 5, 2]


@pytest.mark.parametrize(
  'backend, wanted', [('cpu', [16, 4, 1, 1]), ('gpu', [16] * 4)]
)
def test_a_batch_fits_the_caches_of_a_cpu(monkeypatch, backend, wanted):
  monkeypatch.setattr(jax, 'default_backend', lambda: backend)
  assert [best_batch_size(side) for side in (64, 128, 256, 512)] == wanted


def test_the_landmarks_move_the_image(person, points):
  frames = fewshot.animate(person, points[:2]).astype(int)
  assert np.abs(frames[0] - frames[1]).mean() > 1


def test_a_person_comes_back_exactly(saved, person, points):
  loaded = fewshot.load_person(str(saved))
  assert loaded.config == person.config
  assert loaded.info == person.info
  tiny_game.assert_trees_equal(loaded.generator, person.generator)
  for name in ('adain_params', 'frame', 'support_points'):
    mine, theirs = getattr(loaded, name), getattr(person, name)
    np.testing.assert_array_equal(mine, theirs)
    assert mine.dtype == theirs.dtype
  np.testing.assert_array_equal(
    fewshot.animate(loaded, points[:3]), fewshot.animate(person, points[:3])
  )
  assert sorted(os.listdir(saved)) == [
    'person.json', 'report.json', folders.TENSORS_FILE
  ]  # fmt: skip
  assert os.listdir(saved.parent) == ['ada']


def test_a_portrait_comes_back_and_a_forged_one_is_refused(tmp_path, person):
  folder = str(tmp_path / 'ada')
  image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
  portrait = Portrait(image, CropBox(5.0, -2.5, 20.0))
  fewshot.save_person(folder, dataclasses.replace(person, portrait=portrait))
  loaded = fewshot.load_person(folder).portrait
  np.testing.assert_array_equal(loaded.image, image)
  assert loaded.box == portrait.box
  for forged_image, box, words in (
    (image, CropBox(500.0, 0.0, 20.0), 'not in its portrait'),
    (image, CropBox(0.0, 0.0, -3.0), 'not in its portrait'),
    (image[..., :2], portrait.box, 'shape'),
    (np.zeros((1, 4000, 3), np.uint8), portrait.box, 'shape'),
    (image.astype(np.float32), portrait.box, 'float32'),
  ):
    forged = dataclasses.replace(person, portrait=Portrait(forged_image, box))
    fewshot.save_person(folder, forged)
    with pytest.raises(UserError, match=words):
      fewshot.load_person(folder)


def test_a_person_without_landmarks_is_refused(tmp_path, person):
  none = np.zeros((0, 68, 2), np.float32)
  none = dataclasses.replace(person, support_points=none)
  fewshot.save_person(str(tmp_path / 'ada'), none)
  with pytest.raises(UserError, match='support_points has shape'):
    fewshot.load_person(str(tmp_path / 'ada'))


def test_a_person_may_be_written_over(saved, person, model):
  other = fewshot.feed_forward(model, *tiny_game.make_faces(1, seed=3))
  fewshot.save_person(str(saved), other)
  loaded = fewshot.load_person(str(saved))
  np.testing.assert_array_equal(loaded.adain_params, other.adain_params)
  assert (loaded.adain_params != person.adain_params).any()


def test_other_folders_are_not_written_over(tmp_path, person):
  (tmp_path / 'notes.txt').write_text('mine')
  with pytest.raises(UserError, match='other files in it'):
    fewshot.save_person(str(tmp_path), person)
  with pytest.raises(UserError, match='is a file'):
    fewshot.save_person(str(tmp_path / 'notes.txt'), person)
  assert [path.name for path in tmp_path.iterdir()] == ['notes.txt']


def test_a_changed_byte_is_noticed(saved):
  path = saved / folders.TENSORS_FILE
  data = bytearray(path.read_bytes())
  data[-5] ^= 1
  path.write_bytes(data)
  with pytest.raises(UserError, match='SHA-256 differs'):
    fewshot.load_person(str(saved))


def _edit(folder, kind, change):
  """Changes the tensors or the JSON, and makes the digest right again."""
  path = folder / f'{kind}.json'
  description, tree = folders.load(str(folder), kind)
  change(description, tree)
  folders.tensors.save_tree(str(folder / folders.TENSORS_FILE), tree)
  description['sha256'] = folders.sha256(str(folder / folders.TENSORS_FILE))
  path.write_text(json.dumps(description))


@pytest.mark.parametrize(
  'change, message',
  [
    (
      lambda _, tree: tree['generator']['to_rgb'].pop('bias'),
      'generator/to_rgb/bias is missing',
    ),
    (
      lambda _, tree: tree.update(adain_params=np.zeros(3, np.float32)),
      r'adain_params has shape \(3,\), not \(80,\)',
    ),
    (
      lambda _, tree: tree.update(code=np.zeros(3, np.float32)),
      'code is not expected',
    ),
    (lambda d, _: d.update(format_version=2), 'format_version 2'),
    (lambda d, _: d.update(kind='model'), 'does not describe a person'),
    (lambda d, _: d['model'].update(image_size=65), 'image_size: 65 is not'),
    (lambda d, _: d['model'].update(image_size='64'), "'64' is not int"),
    (lambda d, _: d['model'].update(image_width=64), 'no such field'),
    (lambda d, _: d['model'].update(base_channels=16), 'has shape|missing'),
  ],
)
def test_a_person_that_does_not_fit_is_refused(saved, change, message):
  _edit(saved, 'person', change)
  with pytest.raises(UserError, match=message) as caught:
    fewshot.load_person(str(saved))
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('text', ['', '[]', '3', '{"kind": ', '[' * 100_000])
def test_broken_json_is_refused(saved, text):
  (saved / 'person.json').write_text(text)
  with pytest.raises(UserError, match='person.json'):
    fewshot.load_person(str(saved))


def test_missing_files_are_named(saved, tmp_path):
  with pytest.raises(UserError, match='holds no person.json'):
    fewshot.load_person(str(tmp_path))
  with pytest.raises(UserError, match='holds no model.json'):
    fewshot.load_model(str(saved))
  (saved / folders.TENSORS_FILE).unlink()
  with pytest.raises(UserError, match='safetensors: is missing'):
    fewshot.load_person(str(saved))


def test_a_pickle_in_place_of_the_tensors_is_refused(saved):
  path = saved / folders.TENSORS_FILE
  path.write_bytes(b'\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.')
  description = json.loads((saved / 'person.json').read_text())
  description['sha256'] = folders.sha256(str(path))
  (saved / 'person.json').write_text(json.dumps(description))
  with pytest.raises(UserError, match='not a whole safetensors file'):
    fewshot.load_person(str(saved))


def test_a_model_comes_back(tmp_path, model):
  folder = tmp_path / 'model'
  fewshot.save_model(str(folder), model, 'float32')
  loaded = fewshot.load_model(str(folder))
  for part in ('model', 'loss', 'optimizer', 'training', 'finetune'):
    assert getattr(loaded.experiment, part) == getattr(model.experiment, part)
  tiny_game.assert_trees_equal(loaded.params, _arrays(model.params))
  tiny_game.assert_trees_equal(loaded.spectral, _arrays(model.spectral))
  assert loaded.info['sha256'] == folders.sha256(
    str(folder / folders.TENSORS_FILE)
  )


def test_a_model_in_half_precision_draws_nearly_the_same(tmp_path, model):
  folder = tmp_path / 'model'
  fewshot.save_model(str(folder), model)
  faces = tiny_game.make_faces(2)
  people = [
    fewshot.feed_forward(one, *faces)
    for one in (model, fewshot.load_model(str(folder)))
  ]
  np.testing.assert_allclose(
    people[0].adain_params, people[1].adain_params, rtol=0.02, atol=0.02
  )
  frames = [fewshot.animate(one, faces[1]).astype(int) for one in people]
  assert np.abs(frames[0] - frames[1]).mean() < 3


def test_a_model_with_other_sizes_is_refused(tmp_path, model):
  folder = tmp_path / 'model'
  fewshot.save_model(str(folder), model)
  _edit(
    folder,
    'model',
    lambda d, _: d['config']['model'].update(embedding_size=32),
  )
  with pytest.raises(UserError, match='has shape'):
    fewshot.load_model(str(folder))


@pytest.mark.parametrize('value', ['text', 3, None, [1]])
def test_a_config_that_is_no_object_is_refused(tmp_path, model, saved, value):
  folder = tmp_path / 'model'
  fewshot.save_model(str(folder), model)
  _edit(folder, 'model', lambda d, _: d.update(config=value))
  with pytest.raises(UserError):
    fewshot.load_model(str(folder))
  _edit(saved, 'person', lambda d, _: d.update(model=value))
  with pytest.raises(UserError):
    fewshot.load_person(str(saved))


def test_a_model_is_the_average_of_a_state(model):
  config = model.experiment
  state = tiny_game.make_state(config)
  found = fewshot.model_from_state(state, config, {'dataset': 'tiny'})
  for name in ('embedder', 'generator'):
    tiny_game.assert_trees_equal(found.params[name], state.ema[name])
  tiny_game.assert_trees_equal(
    found.params['discriminator'], state.params['discriminator']
  )
  assert found.info == {'step': 0, 'dataset': 'tiny'}
  # Its vectors are those of the averaged weights: sigma is 1 after folding.
  kernel = np.asarray(found.normal['generator']['to_rgb']['kernel'])
  sigma = np.linalg.svd(kernel.reshape(-1, 3), compute_uv=False)[0]
  assert sigma == pytest.approx(1, abs=0.01)


def _arrays(tree):
  import jax

  return jax.tree.map(np.asarray, tree)


def test_people_are_frozen(person):
  with pytest.raises(dataclasses.FrozenInstanceError):
    person.frame = None
