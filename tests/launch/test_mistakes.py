"""Mistakes at every command: exit code 2, one line, and nothing is left."""

import json
import os
import shutil

import numpy as np
import pytest

from configs import tiny
from flaxheads.data.image import write_png
from flaxheads.landmarks.landmark_files import save_landmarks
from flaxheads.training.workdir import claim_workdir
from flaxheads.weights import tensors
from tests.launch.commands import ROOT, call, files_below

EMPTY_PICTURE = np.full((96, 96, 3), 200, np.uint8)


@pytest.fixture(scope='module')
def bad(tmp_path_factory, things):
  """A folder with everything that can be wrong about an input."""
  folder = tmp_path_factory.mktemp('bad')
  write_png(folder / 'no_face.png', EMPTY_PICTURE)
  (folder / 'empty.mp4').touch()
  (folder / 'empty.jpg').touch()
  (folder / 'text.mp4').write_text('To whom it may concern\n' * 50)
  (folder / 'text.png').write_text('To whom it may concern\n' * 50)
  whole = things.video.read_bytes()
  (folder / 'cut.mp4').write_bytes(whole[: len(whole) // 20])
  cut = things.picture.read_bytes()
  (folder / 'cut.png').write_bytes(cut[: len(cut) // 2])
  (folder / 'nothing').mkdir()
  (folder / 'mixed').mkdir()
  shutil.copy(things.picture, folder / 'mixed')
  shutil.copy(things.video, folder / 'mixed')
  (folder / 'faceless').mkdir()
  write_png(folder / 'faceless' / '0.png', EMPTY_PICTURE)
  (folder / 'notes.txt').write_text('a note')
  np.savez(folder / 'shape.npz', points=np.zeros((3, 5, 2)))
  save_landmarks(folder / 'one.npz', np.random.rand(1, 68, 2) * 90)
  points = np.random.default_rng(0).uniform(0, 90, (4, 68, 2))
  save_landmarks(folder / 'years.npz', points, [0, 0.04, 0.08, 1e9])
  save_landmarks(folder / 'slow.npz', points, [0, 1000, 2000, 3000])
  (folder / 'text.npz').write_text('1 2 3')
  _spoil_people_and_models(folder, things)
  (folder / 'run').mkdir()
  (folder / 'run' / 'config.json').write_text('{"sede": 1}')
  claim_workdir(str(folder / 'begun'), tiny.get_config())
  return folder


def _spoil_people_and_models(folder, things):
  def copy(what, name):
    return shutil.copytree(what, folder / name)

  path = copy(things.model, 'changed_model') / 'tensors.safetensors'
  content = bytearray(path.read_bytes())
  content[-5] ^= 1
  path.write_bytes(content)
  copy(things.model, 'half_model').joinpath('tensors.safetensors').unlink()
  path = copy(things.model, 'other_model') / 'model.json'
  path.write_text(path.read_text().replace('"embedding_size": 16', '"e": 1'))
  path = copy(things.model, 'list_model') / 'model.json'
  path.write_text(json.dumps({**json.loads(path.read_text()), 'config': []}))
  copy(things.model, 'no_json').joinpath('model.json').write_text('{')

  path = copy(things.person, 'lacking') / 'tensors.safetensors'
  tree = tensors.load_tree(path)
  del tree['adain_params']
  _replace(path, tree)
  path = copy(things.person, 'float_frame') / 'tensors.safetensors'
  tree = tensors.load_tree(path)
  _replace(path, {**tree, 'frame': tree['frame'].astype(np.float32)})


def _replace(path, tree):
  from flaxheads.fewshot.folders import sha256

  tensors.save_tree(path, tree)
  description = path.with_name('person.json')
  values = {**json.loads(description.read_text()), 'sha256': sha256(path)}
  description.write_text(json.dumps(values))


# (command, arguments, what the line says). {bad} and {good} stand for the
# folders above, {out} for a name of nothing; --output=OUT is the default.
FINETUNE = (
  'finetune --model={good}/model --num_steps=1 --output={out} --confirm_rights'
)
ANIMATE = 'animate --person={good}/person --output={out}'
FORWARD = 'animate --model={good}/model --output={out} --confirm_rights'
EVALUATE = 'evaluate --nodetect --output={out}'
# The processes of tests have eight devices.
TRAIN = (
  'train --config=configs/tiny.py --workdir={out}'
  ' --config.training.batch_size=8'
)
PREPARE = 'prepare --data_dir={out}'
VIDEO = '--driver={good}/video.mp4'
MOVE = 'animate --output={out} ' + VIDEO
CASES = [
  (f'{FINETUNE}', '--source is missing'),
  ('finetune --source={good}/picture.png', '--output is missing'),
  (f'{FINETUNE} --source={{bad}}/none.mp4', 'none.mp4: no such file'),
  (f'{FINETUNE} --source={{bad}}/no_face.png', 'no face found in the image'),
  (f'{FINETUNE} --source={{bad}}/faceless', 'no face found in any of 1'),
  (f'{FINETUNE} --source={{good}}/group.png', '2 faces', '--face'),
  (f'{FINETUNE} --source={{good}}/group.png --face=2', 'face'),
  (f'{FINETUNE} --source={{bad}}/empty.mp4', 'empty.mp4: the file is empty'),
  (f'{FINETUNE} --source={{bad}}/empty.jpg', 'empty.jpg: is not an image'),
  (f'{FINETUNE} --source={{bad}}/text.mp4', 'text.mp4: is not a video'),
  (f'{FINETUNE} --source={{bad}}/text.png', 'text.png: is not an image'),
  (f'{FINETUNE} --source={{bad}}/cut.mp4', 'cut.mp4', 'truncated'),
  (f'{FINETUNE} --source={{bad}}/cut.png', 'cut.png: damaged or truncated'),
  (f'{FINETUNE} --source={{bad}}/nothing', 'has no image'),
  (f'{FINETUNE} --source={{bad}}/mixed', 'holds images and videos'),
  (f'{FINETUNE} --source={{bad}}/notes.txt', 'notes.txt: is not a video'),
  (
    f'{FINETUNE} --source={{good}}/video.mp4 --num_shots=7',
    '6 frames with a face, fewer than --num_shots=7',
  ),
  (f'{FINETUNE} --source={{good}}/video.mp4 --num_shots=0', '--num_shots: 0'),
  (f'{FINETUNE} --source={{good}}/picture.png --num_steps=0', '--num_steps: 0'),
  (f'{FINETUNE} --source={{good}}/picture.png --seed=-1', '--seed: -1'),
  (
    f'{FINETUNE} --source={{good}}/picture.png --landmarks={{bad}}/shape.npz',
    'shape (3, 5, 2); [F, 68, 2]',
  ),
  (
    f'{FINETUNE} --source={{good}}/video.mp4 --landmarks={{bad}}/one.npz',
    '6 frames, but landmarks for 1',
  ),
  (
    f'{FINETUNE} --source={{good}}/picture.png --finetune.max_steps=0',
    'finetune.max_steps: 0',
  ),
  (
    f'{FINETUNE} --source={{good}}/picture.png --finetune.stesp=3',
    'finetune.stesp: no such field; there are batch_size',
  ),
  (
    f'{FINETUNE} --source={{good}}/picture.png --model={{bad}}/changed_model',
    'tensors.safetensors: is not the file that model.json names',
  ),
  (f'{FINETUNE} --source=x --model={{bad}}/half_model', 'is missing'),
  (f'{FINETUNE} --source=x --model={{bad}}/other_model', 'e: no such field'),
  (f'{FINETUNE} --source=x --model={{bad}}/list_model', 'is not an object'),
  (f'{FINETUNE} --source=x --model={{bad}}/no_json', 'not valid JSON'),
  (f'{FINETUNE} --source=x --model={{bad}}/nowhere', 'no such folder'),
  (f'{FINETUNE} --source=x --model={{good}}/picture.png', 'is a file'),
  (f'{FINETUNE} --source=x --model={{good}}/person', 'holds no model.json'),
  (f'{FINETUNE} --source=x --output={{bad}}/notes.txt', 'notes.txt: is a file'),
  (f'{FINETUNE} --source=x --output={{bad}}/mixed', 'with other files in it'),
  (f'{FINETUNE} --source=x --output={{good}}/model', 'with other files in it'),
  (f'{FINETUNE} --source=x --output=/proc/new', '/proc: cannot be written'),
  (f'{FINETUNE} --source=x --num_steps=many', 'many: not a whole number'),
  (f'{FINETUNE} --source=x --finetune.blend=a', 'blend=a: not a number'),
  (f'{FINETUNE} --source=x --confirm_rights=perhaps', 'not true or false'),
  (f'{FINETUNE} --sauce=x', "Unknown command line flag 'sauce'"),
  ('animate --person={good}/person', '--output is missing'),
  (ANIMATE, '--driver is missing'),
  (MOVE, 'either --person, or --source'),
  (f'{ANIMATE} {VIDEO} --model={{good}}/model', '--model and --num_shots'),
  (f'{ANIMATE} --driver={{bad}}/none.mp4', 'none.mp4: no such file'),
  (f'{ANIMATE} --driver_sound={{bad}}/none.wav', 'none.wav: no such file'),
  (f'{ANIMATE} --driver={{bad}}/empty.mp4', 'empty.mp4: the file is empty'),
  (f'{ANIMATE} --driver={{bad}}/text.mp4', 'text.mp4: is not a video'),
  (f'{ANIMATE} --driver={{bad}}/cut.mp4', 'truncated'),
  (f'{ANIMATE} --driver={{bad}}/no_face.png', 'no face found'),
  (f'{ANIMATE} --driver={{good}}/group.png', '2 faces', '--face'),
  (f'{ANIMATE} {VIDEO} --driver={{bad}}/text.npz', 'text.npz: not an .npz'),
  (f'{ANIMATE} --driver={{bad}}/shape.npz', 'shape (3, 5, 2)'),
  (f'{ANIMATE} --driver={{bad}}/years.npz', 'lasts 1e+09 s'),
  (f'{ANIMATE} --driver={{bad}}/slow.npz', '0.001 frames per second', '--fps'),
  (f'{ANIMATE} {VIDEO} --fps=0', '--fps: 0'),
  (f'{ANIMATE} {VIDEO} --max_frames=0', '--max_frames: 0'),
  (f'{ANIMATE} {VIDEO} --size=9', '--size: 9 is too small; at least 64'),
  (f'{MOVE} --person={{bad}}/lacking', 'adain_params is missing'),
  (f'{MOVE} --person={{bad}}/float_frame', 'not uint8'),
  (f'{MOVE} --person={{good}}/model', 'holds no person.json'),
  (f'{ANIMATE} {VIDEO} --output={{bad}}/mixed', 'with other files in it'),
  (f'{ANIMATE} {VIDEO} --output={{bad}}/notes.txt', 'is a file'),
  (f'{ANIMATE} {VIDEO} --output={{good}}/person', 'with other files in it'),
  (f'{ANIMATE} {VIDEO} --output={{out}}/x.mp4', 'its folder does not exist'),
  (f'{ANIMATE} {VIDEO} --output=/proc/new', '/proc: cannot be written'),
  (f'{ANIMATE} {VIDEO} --output=/proc/x.mp4', '/proc: cannot be written'),
  (f'{ANIMATE} {VIDEO} --output={{out}}.mov', 'written as MP4'),
  (f'{ANIMATE} {VIDEO} {VIDEO} --output={{out}}.mp4', 'need a folder'),
  (f'{ANIMATE} {VIDEO} --output={{good}}/video.mp4', 'would overwrite'),
  (
    f'{ANIMATE} {VIDEO} --output={{bad}}/text.mp4',
    'text.mp4: exists, and no earlier call made it',
  ),
  (f'{FORWARD} {VIDEO} --source={{bad}}/none.png', 'none.png: no such file'),
  (f'{FORWARD} {VIDEO} --source={{good}}/group.png', '2 faces', '--face'),
  (f'{FORWARD} {VIDEO} --source={{good}}/picture.png --num_shots=2', '1 frame'),
  (
    f'{FORWARD} {VIDEO} --source=configs --model={{bad}}/changed_model',
    'is not the file that model.json names',
  ),
  (EVALUATE, 'either --dataset'),
  (
    f'{EVALUATE} --model={{bad}}/changed_model --source={{good}}/video.mp4',
    'is not the file that model.json names',
  ),
  (f'{EVALUATE} --methods=nearest --source={{bad}}/text.mp4', 'not a video'),
  (f'{EVALUATE} --methods=nearest --source={{bad}}/no_face.png', 'no face'),
  (
    f'{EVALUATE} --methods=nearest --num_shots=9 --source={{good}}/video.mp4',
    'at most 3',
  ),
  (f'{EVALUATE} --methods=nearest --dataset=x --data_dir={{bad}}', "'x'"),
  (f'{EVALUATE} --source=x --output={{bad}}/notes.txt', 'notes.txt: a file'),
  (f'{EVALUATE} --source=x --output=/proc/new', 'cannot be written'),
  ('train --workdir={out}', '--config is missing'),
  ('train --config=configs/tiny.py', '--workdir is missing'),
  (f'{TRAIN} --config.data.data_dir=', '--config.data.data_dir is missing'),
  (f'{TRAIN} --config.data.data_dir={{bad}}', "no dataset 'synthetic_heads'"),
  (f'{TRAIN} --config.data.dataset=a:1,b', 'a:1,b', 'b has no weight'),
  (f'{TRAIN} --config.data.dataset=a:1,b:0', "weight of b, '0'"),
  (f'{TRAIN} --config.training.stesp=3', 'config.training.stesp: no such'),
  (f'{TRAIN} --config.training.num_steps=0', 'training.num_steps: 0'),
  (f'{TRAIN} --config.model.image_size=100', 'model.image_size: 100 is not'),
  (f'{TRAIN} --config.data.num_support=two', 'two: not a whole number'),
  ('train --config=configs/no.py --workdir={out}', 'configs/no.py: no such'),
  ('train --config=configs --workdir={out}', '--config=configs: is a folder'),
  ('export --output={out}', '--workdir is missing'),
  ('export --workdir={bad}/nothing', '--output is missing'),
  ('export --workdir={bad}/nothing --output={out}', 'holds no run'),
  ('export --workdir={bad}/run --output={out}', 'sede: no such field'),
  (
    'export --workdir={bad}/begun --output={bad}/mixed',
    'with other files in it',
  ),
  ('export --workdir=x --output={out} --dtype=int8', 'not one of float32'),
  ('prepare --dataset=video_folder', '--data_dir'),
  (PREPARE, '--source'),
  ('prepare --inspect', '--data_dir'),
  ('prepare --inspect --data_dir={bad}', "holds no dataset 'video_folder'"),
  (f'{PREPARE} --output=page.png', '--output: only with --inspect'),
  (f'{PREPARE} --source={{bad}}/nowhere', 'nowhere'),
  (f'{PREPARE} --source={{bad}}/faceless', 'no videos below'),
  (f'{PREPARE} --dataset=faces', 'video_folder|synthetic_heads'),
  (f'{PREPARE} --dataset=synthetic_heads --num_identities=0', 'num_identities'),
  (f'{ANIMATE} {VIDEO} --signing_cert={{bad}}/notes.txt', 'give both'),
  (
    f'{ANIMATE} {VIDEO} --signing_cert={{bad}}/notes.txt'
    ' --signing_key={bad}/notes.txt',
    'notes.txt: holds no certificate in PEM',
  ),
  (
    f'{ANIMATE} {VIDEO} --signing_cert=x --signing_key=x'
    ' --without_marks_i_will_label_it_myself',
    'leaves nothing to sign',
  ),
  (
    'finetune --model={good}/model --output={out} --source={good}/picture.png',
    'picture.png: there is no terminal to ask',
    '--confirm_rights',
  ),
  (
    'animate --model={good}/model --output={out} --source={good}/picture.png '
    + VIDEO,
    'picture.png: there is no terminal to ask',
    '--confirm_rights',
  ),
  ('verify', 'no file is given'),
  ('verify {bad}/none.png', 'none.png: no such file or folder'),
  ('verify {bad}/nothing', 'has no image or video'),
  ('verify {good}/picture.png --trust={bad}/notes.txt', 'no certificate'),
  ('verify {good}/picture.png --jsno', "Unknown command line flag 'jsno'"),
  ('export {bad}/notes.txt', 'is not a flag'),
  ('render_heads', '--output is missing'),
  ('render_heads --output={out} --image_size=100', '--image_size=100'),
  ('render_heads --output={out} --num_identities=0', 'num_identities'),
  ('render_heads --output={bad}/notes.txt', 'notes.txt'),
]


@pytest.mark.parametrize(
  'line, said', [(line, said) for line, *said in CASES], ids=lambda x: str(x)
)
def test_mistake(line, said, bad, things, tmp_path):
  name, *arguments = line.format(
    bad=bad, good=things.folder, out=tmp_path / 'out'
  ).split()
  before = files_below(bad), files_below(things.folder)
  done = call(name, *arguments)
  assert done.code == 2, done.err
  assert done.out == ''
  (message,) = done.err.splitlines()
  assert message.startswith(f'{name}: ')
  for part in said:
    assert part in message
  assert list(tmp_path.iterdir()) == []
  assert (files_below(bad), files_below(things.folder)) == before


def test_what_needs_the_papers_generator_asks_for_it(things, tmp_path):
  picture = f'--source={things.picture}'
  output = f'--output={tmp_path / "out"}'
  for name, *more in (['finetune'], ['evaluate', '--methods=ff']):
    done = call(name, picture, output, *more)
    assert done.code == 2, done.err
    assert done.err.startswith(f'{name}: --model is missing: a model folder of')
  assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
@pytest.mark.parametrize('line', [FINETUNE, ANIMATE])
def test_a_folder_that_may_not_be_written(line, things, tmp_path):
  tmp_path.chmod(0o500)
  line = line.format(good=things.folder, out=tmp_path / 'out')
  name, *arguments = line.split()
  done = call(
    name,
    *arguments,
    f'--source={things.picture}'
    if name == 'finetune'
    else f'--driver={things.video}',
  )
  assert done.code == 2, done.err
  assert len(done.err.splitlines()) == 1
  assert str(tmp_path) in done.err


COMMANDS = sorted(
  path.stem
  for path in (ROOT / 'launch').glob('*.py')
  if path.stem != 'app' and path.stem[0] != '_'
)


@pytest.mark.parametrize('name', COMMANDS)
def test_help_says_what_it_does_and_is_no_failure(name):
  done = call(name, '--help')
  assert (done.code, done.err) == (0, '')
  assert f'python -m launch.{name}' in done.out or name == 'proof'
  assert '\\' not in done.out.replace('\\\n', '')
