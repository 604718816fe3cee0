"""Methods by name, their settings, and that baselines need no network."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from flaxheads import fewshot
from flaxheads.config import FinetuneConfig
from flaxheads.errors import UserError
from flaxheads.evaluation import methods
from flaxheads.evaluation.protocol import Drivers, Generated
from flaxheads.fewshot import Validator
from tests.faces import face_points


def test_methods_come_in_the_tables_order():
  made = methods.make_methods(
    ['ft', 'warp', 'ff', 'nearest'], object(), FinetuneConfig()
  )
  assert [m.name for m in made] == ['nearest', 'warp', 'ff', 'ft']


def test_settings_follow_what_the_images_depend_on():
  def settings(name, **kwargs):
    arguments = {
      'model': object(),
      'finetune_config': FinetuneConfig(),
      'seed': 0,
      'model_digest': 'a',
    }
    return methods.make_methods([name], **{**arguments, **kwargs})[0].settings

  for name in ('ff', 'ft'):
    assert settings(name) == settings(name)
    assert settings(name) != settings(name, model_digest='b')
  longer = FinetuneConfig(max_steps=999)
  assert settings('ft') != settings('ft', finetune_config=longer)
  assert settings('ft') != settings('ft', seed=1)
  assert settings('ft') != settings('ft', validator=Validator(detector='d'))
  for other in (
    {'model_digest': 'b'},
    {'seed': 1},
    {'finetune_config': longer},
  ):
    assert settings('nearest') == settings('nearest', **other)


def test_a_frame_of_photographs_depends_on_its_own_driver_alone():
  rng = np.random.default_rng(0)
  frames = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
  points = np.stack([face_points(64), face_points(64, mouth=0.2)])
  drivers = np.stack([face_points(64, mouth=m) for m in (0.0, 0.2, 0.05)])
  (mesh,) = methods.make_methods(['mesh'])
  whole = mesh.render(frames, points, Drivers(drivers))
  turned = mesh.render(frames, points, Drivers(drivers[::-1]))
  np.testing.assert_array_equal(whole, turned[::-1])
  assert (whole[0] != whole[1]).any()


@pytest.mark.parametrize(
  ('names', 'message'),
  [
    (['face'], "'face' is not one of nearest, warp, x2face, pix2pixhd, ff, ft"),
    (['warp', 'warp'], 'given twice'),
    ([], 'none given'),
    (['ft'], 'ft needs a model; give --model'),
    (['bilayer'], 'bilayer needs a model; give --bilayer'),
  ],
)
def test_wrong_names_are_refused(names, message):
  with pytest.raises(UserError, match=message):
    methods.make_methods(names)


def test_digest_sees_names_and_contents(tmp_path):
  def digest(files):
    folder = tmp_path / str(np.random.default_rng().integers(1 << 60))
    for name, content in files.items():
      path = folder / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(content)
    return methods.digest_folder(folder)

  files = {'g.safetensors': b'1', 'sub/config.json': b'2'}
  assert digest(files) == digest(files)
  assert digest(files) != digest({**files, 'g.safetensors': b'3'})
  assert digest(files) != digest({**files, 'more': b''})
  assert digest({'a': b'1'}) != digest({'b': b'1'})


def test_the_protocol_imports_neither_models_nor_training():
  check = (
    'import sys; import flaxheads.evaluation.methods,'
    ' flaxheads.evaluation.report; bad = [m for m in sys.modules'
    " if m.startswith(('flaxheads.models.', 'flaxheads.training.'))];"
    ' sys.exit(str(bad) if bad else 0)'
  )
  done = subprocess.run(
    [sys.executable, '-c', check], capture_output=True, text=True, check=False
  )
  assert done.returncode == 0, done.stderr


def test_the_models_methods_make_a_person_and_animate_it(monkeypatch):
  monkeypatch.setattr(
    fewshot, 'feed_forward', lambda *args: ('ff', *args), raising=False
  )
  tuned = SimpleNamespace(info={'curve': {'kept': 3}})
  given = []

  def finetune(*args, validator):
    given.append((*args, validator))
    return tuned

  monkeypatch.setattr(fewshot, 'finetune', finetune, raising=False)
  monkeypatch.setattr(
    fewshot, 'animate', lambda *args: ('animated', *args), raising=False
  )
  config = FinetuneConfig()
  validator, drivers = Validator(detector='d'), Drivers('drivers')
  ff, ft = methods.make_methods(
    ['ff', 'ft'], 'model', config, seed=5, validator=validator
  )
  assert ff.render('frames', 'points', drivers) == (
    'animated', ('ff', 'model', 'frames', 'points'), 'drivers',
  )  # fmt: skip
  assert ft.render('frames', 'points', drivers) == Generated(
    ('animated', tuned, 'drivers'), {'kept': 3}
  )
  assert given == [('model', 'frames', 'points', config, 5, validator)]
