"""Exit codes and messages of launch/app.py, each seen from outside."""

import pathlib
import subprocess
import sys

import pytest

from flaxheads import errors

ROOT = pathlib.Path(__file__).resolve().parent.parent

SCRIPT = """
import dataclasses
from absl import flags, logging
from ml_collections import config_flags
from flaxheads.errors import UserError, check_range
from launch import _config_flags, _logs, app

@dataclasses.dataclass
class Options:
  steps: int = 10
  def __post_init__(self):
    check_range('steps', self.steps, 1)

COUNT = flags.DEFINE_integer('count', 1, 'a number')
DEEDS = ('nothing', 'mistake', 'defect', 'warn_in_a_loop', 'compute')
DO = flags.DEFINE_enum('do', 'nothing', DEEDS, '')
OPTIONS = _config_flags.define_config('options', Options())
CONFIG = config_flags.DEFINE_config_file('config')

def main():
  if DO.value == 'mistake':
    raise UserError('--source=x.mp4: no such file;\\n  give a video')
  if DO.value == 'defect':
    raise ValueError('a defect')
  if DO.value == 'compute':
    import os
    import jax.numpy as jnp
    jnp.zeros(1)
    print(os.environ['TF_CPP_MIN_LOG_LEVEL'])
  if DO.value == 'warn_in_a_loop':
    for _ in _logs.progress_bar('abc', 'loop'):
      logging.warning('a letter is odd')
    raise UserError('--source=x.mp4: no such file')
  OPTIONS.value.__post_init__()
  seed = CONFIG.value.seed if CONFIG.value else None
  print('count', COUNT.value, 'steps', OPTIONS.value.steps, 'seed', seed)

if __name__ == '__main__':
  app.run(main)
"""

CONFIGS = {
  'good': 'def get_config(): return Config()',
  'refused': 'def get_config(): return Config(model=ModelConfig(image_size=3))',
  'broken': '1 / 0',
  'garbled': 'def get_config(: pass',
  'empty': '',
  'elsewhere': 'import configs.absent',
}


@pytest.fixture(scope='module')
def script(tmp_path_factory):
  path = tmp_path_factory.mktemp('launch') / 'tiny.py'
  path.write_text(SCRIPT)
  for name, source in CONFIGS.items():
    source = f'from flaxheads.config import Config, ModelConfig\n{source}\n'
    path.with_name(f'{name}.py').write_text(source)
  return path


def _call(arguments, cwd=ROOT, **environment):
  return subprocess.run(
    [sys.executable, *map(str, arguments)],
    capture_output=True,
    text=True,
    cwd=cwd,
    env={'PATH': '', 'PYTHONPATH': str(ROOT), **environment},
    stdin=subprocess.DEVNULL,
  )


def _run(script, *arguments, **environment):
  return _call([script, *arguments], cwd=script.parent, **environment)


def test_done_is_0_and_flags_reach_main(script):
  done = _run(
    script,
    '--count=3',
    '--options.steps=7',
    '--config=good.py',
    '--config.seed=5',
  )
  assert (done.returncode, done.stderr) == (0, '')
  assert done.stdout == 'count 3 steps 7 seed 5\n'


@pytest.mark.parametrize(
  'arguments, message',
  [
    ('--cuont=3', "Unknown command line flag 'cuont'"),
    ('--count=three', 'three'),
    ('--do=everything', 'nothing|mistake|defect'),
    ('--do=mistake', '--source=x.mp4: no such file; give a video'),
    ('stray.mp4', "'stray.mp4' is not a flag"),
    ('--options.stpes=3', 'options.stpes: no such field; there are steps'),
    ('--options.steps=many', 'many'),
    ('--options.steps=0', 'at least 1'),
    ('--config=absent.py', '--config=absent.py: no such file; configs/ holds'),
    ('--config=absent.py --config.seed=1', 'absent.py'),
    ('--config=good.py --config.seed=one', 'one'),
    ('--config=good.py --config.sede=1', 'config.sede: no such field; there'),
    (
      '--config=good.py --config.model.imagesize=64',
      'config.model.imagesize: no such field; there are image_size, base_',
    ),
    ('--config=good.py --config.seed.x=1', 'seed.x'),
    ('--config=garbled.py', 'garbled.py, line 2: not Python (invalid syntax)'),
    (
      '--config=elsewhere.py',
      '--config: its file imports a preset of configs/',
    ),
    ('--config=empty.py', '--config: its file has no get_config()'),
    ('--config=refused.py', 'model.image_size: 3 is not one of 32, 64'),
  ],
)
def test_asked_wrongly_is_2_in_one_line(script, arguments, message):
  done = _run(script, *arguments.split())
  assert done.returncode == 2, done.stderr
  assert done.stdout == ''
  (line,) = done.stderr.splitlines()
  assert line.startswith('tiny: ')
  assert message in line
  assert 'Traceback' not in line


@pytest.mark.parametrize(
  'argument, error',
  [
    ('--do=defect', 'ValueError: a defect'),
    ('--config=broken.py', 'ZeroDivisionError'),
  ],
)
def test_defect_is_1_with_its_traceback(script, argument, error):
  done = _run(script, argument)
  assert done.returncode == 1
  assert 'Traceback' in done.stderr
  assert error in done.stderr


@pytest.mark.parametrize('platform', ['cuda', 'tpu', 'qpu'])
def test_a_device_that_is_not_there_is_one_line(script, platform):
  done = _run(script, '--do=compute', JAX_PLATFORMS=platform)
  if platform != 'qpu' and done.returncode == 0:
    pytest.skip(f'there is a {platform} device here')
  (line,) = done.stderr.splitlines()
  assert done.returncode == 2
  assert line.startswith(f'tiny: JAX_PLATFORMS={platform}: JAX finds no such')


def test_xla_is_quiet_unless_it_is_asked_to_talk(script):
  # Level 3 leaves out the C++ errors, among them alarms of slow compilation.
  done = _run(script, '--do=compute', JAX_PLATFORMS='cpu')
  assert done.stdout.startswith('3\n') and not done.stderr
  done = _run(
    script, '--do=compute', JAX_PLATFORMS='cpu', TF_CPP_MIN_LOG_LEVEL='0'
  )
  assert done.stdout.startswith('0\n')


def test_a_message_does_not_stick_to_a_progress_bar(script):
  # A warning draws the bar, young as it is, behind itself.
  done = _run(script, '--do=warn_in_a_loop')
  assert done.returncode == 2
  lines = done.stderr.split('\n')  # a bar's own \r ends no line
  assert any(line.endswith('tiny: warning: a letter is odd') for line in lines)
  assert 'loop: 100%' in lines[-3]
  assert lines[-2:] == ['tiny: --source=x.mp4: no such file', '']


def test_help_exits_without_running_main(script):
  done = _run(script, '--help')
  assert 'a number' in done.stdout
  assert 'count 1' not in done.stdout


def test_a_message_is_one_line_whatever_the_file_is_called():
  message = str(errors.UserError('new\nline.mp4: no face\r\n'))
  assert message == 'new line.mp4: no face'


@pytest.mark.parametrize('command', ['train', 'compile --topology=v5e:2x4'])
def test_a_config_of_something_else_is_one_line(tmp_path, command):
  path = tmp_path / 'three.py'
  path.write_text('def get_config(): return 3')
  name, *flags = command.split()
  done = _call(['-m', f'launch.{name}', f'--config={path}', *flags])
  assert done.returncode == 2
  (line,) = done.stderr.splitlines()
  assert f'--config={path}: get_config() returns int, not an experim' in line
