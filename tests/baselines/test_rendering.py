"""Trained baselines: their folders, and what they render."""

import jax
import numpy as np
import pytest

from flaxheads import experiments
from flaxheads.baselines import folder as trained
from flaxheads.baselines.pix2pixhd import rendering as pix2pixhd
from flaxheads.baselines.pix2pixhd.config import FewShotConfig
from flaxheads.baselines.x2face import rendering as x2face
from flaxheads.config import FinetuneConfig
from flaxheads.data.synthetic_heads import make_clip
from flaxheads.errors import UserError
from flaxheads.evaluation import methods
from flaxheads.evaluation.protocol import Drivers
from tests import tiny_game
from tests.baselines import tools

CONFIGS = {'x2face': tools.X2FACE, 'pix2pixhd': tools.PIX2PIXHD}


def _load(folder, name):
  return experiments.EXPERIMENTS[name].rendering.load(folder)


def _trained(name):
  state = tools.make_state(CONFIGS[name])
  return trained.from_state(state, CONFIGS[name])


@pytest.fixture(scope='module')
def head():
  """Six frames of a rendered head and their points."""
  return make_clip(seed=5, identity_index=0, num_frames=6, image_size=64)


@pytest.mark.parametrize('name', methods.TRAINED)
def test_a_folder_gives_back_what_was_trained(name, tmp_path):
  made = _trained(name)
  trained.save(tmp_path / name, made, 'float32')
  names = {path.name for path in (tmp_path / name).iterdir()}
  assert names == {'baseline.json', 'tensors.safetensors'}
  read = _load(tmp_path / name, name)
  tiny_game.assert_trees_equal(
    jax.tree.leaves(read.variables), jax.tree.leaves(made.variables)
  )
  assert read.config.model == made.config.model
  assert read.info == made.info
  assert read.info['perceptual'] == []


def test_wrong_folders_are_refused_in_one_line(tmp_path):
  for name in methods.TRAINED:
    trained.save(tmp_path / name, _trained(name))

  def refused(folder, name='x2face'):
    with pytest.raises(UserError) as caught:
      _load(tmp_path / folder, name)
    assert '\n' not in str(caught.value)
    return str(caught.value)

  assert 'no such folder' in refused('nothing')
  assert "holds 'x2face', not 'pix2pixhd'" in refused('x2face', 'pix2pixhd')
  assert 'holds no baseline.json' in refused('.')
  path = tmp_path / 'pix2pixhd' / 'tensors.safetensors'
  content = bytearray(path.read_bytes())
  content[-3] ^= 1
  path.write_bytes(content)
  assert 'SHA-256 differs' in refused('pix2pixhd', 'pix2pixhd')
  path = tmp_path / 'x2face' / 'baseline.json'
  text = path.read_text()
  assert '"base_channels": 4' in text
  path.write_text(text.replace('"base_channels": 4', '"base_channels": 5'))
  assert 'tensors.safetensors' in refused('x2face')
  path.write_text(text.replace('"base_channels"', '"colour"'))
  assert 'colour: no such field' in refused('x2face')
  path.write_text(text.replace('"x2face"', '["x2face"]'))
  assert "not 'x2face'" in refused('x2face')


def test_methods_say_what_they_need():
  with pytest.raises(UserError, match='x2face has to be trained; give --x2f'):
    methods.make_methods(['x2face'])
  given = {name: (_trained(name), f'sha of {name}') for name in CONFIGS}
  made = methods.make_methods(
    ['pix2pixhd', 'x2face', 'nearest'], seed=3, trained=given
  )
  assert [m.name for m in made] == ['nearest', 'x2face', 'pix2pixhd']
  assert [m.driven_by_frames for m in made] == [False, True, False]
  assert made[1].settings == {'x2face': 'sha of x2face'}
  assert made[2].settings == {'pix2pixhd': 'sha of pix2pixhd', 'seed': 3}


def test_x2face_follows_frames(head):
  frames, points = head
  render = x2face.make_render(_trained('x2face'), 0)
  drivers = Drivers(points[2:], frames[2:])
  drawn = render(frames[:2], points[:2], drivers)
  assert drawn.shape == frames[2:].shape and drawn.dtype == np.uint8
  elsewhere = drivers._replace(points=points[2:] + 9)
  again = render(frames[:2], points[:2] + 9, elsewhere)
  np.testing.assert_array_equal(again, drawn)
  # Each driver moves its own frame, and the support is what is moved.
  turned = Drivers(points[2:], frames[2:][::-1].copy())
  np.testing.assert_array_equal(
    render(frames[:2], points[:2], turned), drawn[::-1]
  )
  assert np.any(render(frames[:1], points[:1], drivers) != drawn)


def test_few_shots_change_and_improve_pix2pixhd(head):
  frames, points = head
  config = CONFIGS['pix2pixhd']
  start = _trained('pix2pixhd')
  few = frames[:2], points[:2]
  before = pix2pixhd.make_renderer(config)(
    start.variables['generator'], points[:2]
  )
  render = pix2pixhd.make_render(start, seed=1)
  after = render(*few, Drivers(points[:2]))

  def error(drawn):
    return np.abs(drawn.astype(float) - frames[:2]).mean()

  assert error(after) < 0.7 * error(before)
  np.testing.assert_array_equal(render(*few, Drivers(points[:2])), after)


def test_it_takes_as_many_steps_as_ours():
  ours, theirs = FinetuneConfig(), FewShotConfig()
  assert theirs.min_steps == ours.min_steps
  assert theirs.max_steps == ours.max_steps


def test_every_frame_is_seen_before_any_comes_again():
  rng = np.random.default_rng(0)
  batches = pix2pixhd.make_batches(6, 2, rng)
  for _ in range(4):
    seen = np.concatenate([next(batches) for _ in range(3)])
    assert sorted(seen) == list(range(6))
