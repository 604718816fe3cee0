"""What is trained beside the model, by the commands, and compared with."""

import json

import pytest

from tests import tiny_game
from tests.data import prepared
from tests.launch.commands import call, call_all
from tests.launch.conftest import write_model

TINY = (
  '--config.training.batch_size=2',
  '--config.training.num_steps=2',
  '--config.training.log_every=1',
  '--config.training.sample_every=2',
  '--config.training.checkpoint_every=2',
)
MORE = {
  'x2face': (
    '--config.model.base_channels=4',
    '--config.model.bottleneck_channels=8',
  ),
  'pix2pixhd': (
    '--config.model.base_channels=4',
    '--config.model.discriminator_channels=4',
    '--config.model.num_residual_blocks=1',
    '--config.finetune.max_steps=2',
    '--config.finetune.min_steps=1',
  ),
  'face_identity': (),
}


@pytest.fixture(scope='module')
def house(tmp_path_factory):
  """A dataset, and what was trained on it, exported."""
  root = tmp_path_factory.mktemp('house')
  people = [tiny_game.make_record(person, 6, size=64) for person in range(4)]
  splits = {'train': people[:2], 'test': people[2:]}
  prepared.write(root / 'data', 'synthetic_heads', splits)
  commands = []
  for name in MORE:
    workdir = root / f'run_{name}'
    commands.append((
      'train',
      f'--config=configs/{name}_64.py',
      f'--config.data.data_dir={root / "data"}',
      f'--workdir={workdir}',
      *TINY,
      *MORE[name],
    ))  # fmt: skip
    output = root / name
    if name == 'face_identity':
      output = output.with_suffix('.safetensors')
    commands.append(('export', f'--workdir={workdir}', f'--output={output}'))
  done, log = call_all(*commands)
  assert [each.code for each in done] == [0] * len(done), (done, log)
  return root, [each.out for each in done], log


def _evaluate(house, *arguments, output):
  root, _, _ = house
  return call(
    'evaluate',
    '--dataset=synthetic_heads',
    f'--data_dir={root / "data"}',
    '--num_shots=1,2',
    '--nodetect',
    f'--output={output}',
    *arguments,
  )


def test_they_are_trained_and_exported_like_the_model(house):
  root, printed, log = house
  assert 'photometric loss alone (no VGGFace weights given' in log
  assert 'no VGG19 weights given' in log
  assert f'{root / "x2face"}: x2face after 2 steps' in printed[1]
  assert f'{root / "pix2pixhd"}: pix2pixhd after 2 steps' in printed[3]
  report = json.loads((root / 'run_x2face' / 'report.json').read_text())
  assert report['x2face/photometric'] > 0
  assert (
    'face_identity.safetensors: iresnet_small after 2 steps on synth'
    in printed[5]
  )
  report = json.loads((root / 'run_face_identity' / 'report.json').read_text())
  assert 0 <= report['face_identity/accuracy'] <= 1


def test_all_methods_stand_in_one_table(house, tmp_path):
  root, _, _ = house
  write_model(root / 'model', size=64)
  names = ('nearest', 'x2face', 'pix2pixhd', 'ff')
  done = _evaluate(
    house,
    f'--methods={",".join(names)}',
    f'--model={root / "model"}',
    f'--x2face={root / "x2face"}',
    f'--pix2pixhd={root / "pix2pixhd"}',
    f'--arcface={root / "face_identity.safetensors"}',
    output=tmp_path,
  )
  assert done.code == 0, done.err
  report = json.loads((tmp_path / 'report.json').read_text())
  drawn = [row for row in report['rows'] if row['method'] != 'real']
  assert {row['method'] for row in drawn} == set(names)
  assert len(drawn) == len(report['cross_rows']) == 2 * 2 * len(names)
  warnings = ' '.join(report['warnings'])
  assert 'X2Face: trained without vggface' in warnings
  assert 'Pix2pixHD: trained and fine-tuned without vgg19' in warnings
  assert 'driven by frames' in ' '.join(report['notes'])
  assert 'trained on synthetic_heads in 2 steps' in warnings
  assert all('csim' not in row for row in drawn)
  assert all(-1 <= row['csim_proxy_weights'] <= 1 for row in drawn)
  assert 'CSIM (proxy weights)' in done.out
  page = (tmp_path / 'report.html').read_text()
  assert 'CSIM (proxy weights): no CSIM, but' in page
  assert 'cosine of ArcFace' not in page
  for title in ('Nearest frame', 'X2Face', 'Pix2pixHD', 'Ours-FF'):
    assert f'| {title} (1) |' in done.out


@pytest.mark.parametrize(
  'arguments, message',
  [
    ('--methods=x2face', 'x2face has to be trained; give --x2face'),
    ('--methods=nearest --x2face={root}/x2face', '--methods lacks x2face'),
    ('--methods=x2face --x2face={root}/none', 'no such folder'),
    ('--methods=x2face --x2face={root}/pix2pixhd', "holds 'pix2pixhd', not"),
    ('--methods=x2face --x2face={model}', 'holds no baseline.json'),
    (
      '--methods=x2face --x2face={root}/x2face --image_size=128',
      '--image_size=128: --x2face generates 64x64',
    ),
    ('--methods=ff --model={root}/x2face', 'holds no model.json'),
  ],
)
def test_mistakes_are_one_line(house, things, tmp_path, arguments, message):
  given = arguments.format(root=house[0], model=things.model).split()
  done = _evaluate(house, *given, output=tmp_path / 'out')
  assert done.code == 2
  assert message in done.err and done.err.count('\n') == 1
  assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
  'arguments, message',
  [
    ('--output={root}/new', 'must end in .safetensors'),
    ('--output={root}/n.safetensors --dtype=float32', 'leave the flag out'),
    ('--output={root}/x2face/tensors.safetensors', 'holds other tensors'),
    ('--output={root}/folder.safetensors', 'is a folder'),
  ],
)
def test_a_face_identity_replaces_nothing_else(house, arguments, message):
  root, _, _ = house
  (root / 'folder.safetensors').mkdir(exist_ok=True)
  before = (root / 'x2face' / 'tensors.safetensors').read_bytes()
  given = arguments.format(root=root).split()
  done = call('export', f'--workdir={root / "run_face_identity"}', *given)
  assert (done.code, done.err.count('\n')) == (2, 1)
  assert message in done.err
  assert (root / 'x2face' / 'tensors.safetensors').read_bytes() == before


def test_two_frames_of_two_people_are_needed():
  config = '--config=configs/face_identity_64.py'
  for flag in ('data.num_support=2', 'training.batch_size=1'):
    done = call('train', config, f'--config.{flag}', '--workdir=x')
    assert (done.code, done.err.count('\n')) == (2, 1)
    assert flag.partition('=')[0] in done.err


def test_what_is_not_counted_or_known_is_refused():
  config = '--config=configs/x2face_64.py'
  done = call('train', config, '--describe')
  assert (done.code, done.err.count('\n')) == (2, 1)
  assert 'only the cost of the two generators' in done.err
  done = call('train', config, '--config.kind=x3face', '--workdir=x')
  assert (done.code, done.err.count('\n')) == (2, 1)
  assert "kind: 'x3face' is not one of x2face" in done.err
