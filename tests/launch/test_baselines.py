"""X2Face and Pix2pixHD by the commands: trained, exported, compared."""

import json

import pytest

from tests import tiny_game
from tests.data import prepared
from tests.launch.commands import call, call_all

SIZE = 64
TINY = (
  '--config.model.base_channels=4',
  '--config.training.batch_size=2',
  '--config.training.num_steps=2',
  '--config.training.log_every=1',
  '--config.training.sample_every=2',
  '--config.training.checkpoint_every=2',
)
MORE = {
  'x2face': ('--config.model.bottleneck_channels=8',),
  'pix2pixhd': (
    '--config.model.discriminator_channels=4',
    '--config.model.num_residual_blocks=1',
    '--config.finetune.max_steps=2',
    '--config.finetune.min_steps=1',
  ),
}


@pytest.fixture(scope='module')
def house(tmp_path_factory):
  """A data set, and a folder of each comparator trained on it."""
  root = tmp_path_factory.mktemp('house')
  people = [tiny_game.make_record(person, num_frames=6) for person in range(4)]
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
    commands.append(
      ('export', f'--workdir={workdir}', f'--output={root / name}')
    )
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
    '--detector=none',
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


def test_all_methods_stand_in_one_table(house, things, tmp_path):
  root, _, _ = house
  names = ('nearest', 'x2face', 'pix2pixhd', 'ff')
  done = _evaluate(
    house,
    f'--methods={",".join(names)}',
    f'--model={things.model}',
    f'--x2face={root / "x2face"}',
    f'--pix2pixhd={root / "pix2pixhd"}',
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
  for title in ('Nearest frame', 'X2Face', 'Pix2pixHD', 'Ours-FF'):
    assert f'| {title} (1) |' in done.out


@pytest.mark.parametrize(
  'arguments, message',
  [
    ('--methods=x2face', 'x2face has to be trained; give --x2face'),
    ('--methods=nearest --x2face={root}/x2face', 'not among the --methods'),
    ('--methods=x2face --x2face={root}/none', 'no such folder'),
    ('--methods=x2face --x2face={root}/pix2pixhd', "holds 'pix2pixhd', not"),
    ('--methods=x2face --x2face={model}', 'holds no baseline.json'),
    (
      '--methods=x2face --x2face={root}/x2face --image_size=128',
      '--image_size=128: --x2face draws 64x64',
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


def test_what_is_not_counted_or_known_is_refused():
  config = '--config=configs/x2face_64.py'
  done = call('train', config, '--describe')
  assert (done.code, done.err.count('\n')) == (2, 1)
  assert 'only the cost of the model is counted' in done.err
  done = call('train', config, '--config.baseline=x3face', '--workdir=x')
  assert (done.code, done.err.count('\n')) == (2, 1)
  assert "baseline: 'x3face' is not one of x2face" in done.err
