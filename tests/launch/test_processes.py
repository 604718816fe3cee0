"""Commands as processes: their exit codes, interrupts and quiet stderr."""

import signal
import subprocess
import time

import numpy as np
import pytest

from flaxheads import api
from flaxheads.fewshot import animation_folder
from flaxheads.landmarks.landmark_files import save_landmarks
from flaxheads.weights import tensors
from tests.launch.commands import PYTHON, ROOT, call, finish, start


@pytest.mark.parametrize(
  'name, arguments, message',
  [
    # Each fails late, when JAX or a reader has had its chance to
    # say something on stderr that is not for the user.
    (
      'finetune',
      '--model={}/model --source={}/video.mp4 --num_shots=7 --output={out}'
      ' --confirm_rights',
      '--num_shots=7',
    ),
    (
      'animate',
      '--model={}/model --source={}/picture.png --driver={}/group.png'
      ' --output={out} --confirm_rights',
      '--face',
    ),
    (
      'evaluate',
      '--source={}/group.png --output={out} --model={}/model',
      '2 f',
    ),
    (
      'train',
      '--config=configs/tiny.py --config.data.data_dir={} --workdir={out}',
      'synthetic_heads',
    ),
    ('export', '--workdir={} --output={out}', 'holds no run'),
    ('prepare', '--source={} --data_dir={out} --only=none', '--only'),
  ],
)
def test_one_line_and_code_2(name, arguments, message, things, tmp_path):
  arguments = arguments.replace('{}', str(things.folder))
  arguments = arguments.replace('{out}', str(tmp_path / 'out'))
  done = finish(start(name, *arguments.split()))
  assert done.code == 2, done.err
  assert done.out == ''
  (line,) = done.err.splitlines()
  assert line.startswith(f'{name}: ')
  assert message in line
  assert list(tmp_path.iterdir()) == []


def _interrupt(*args, **kwargs):
  raise KeyboardInterrupt


@pytest.mark.parametrize(
  'command, module, function',
  [
    ('finetune --num_steps=1', tensors, 'save_tree'),
    ('animate --driver={}/video.mp4', animation_folder, '_write_sheet'),
    ('animate --driver={}/video.mp4', api, '_write_json'),
  ],
)
def test_interrupted_while_writing_leaves_nothing(
  command, module, function, things, tmp_path, monkeypatch
):
  monkeypatch.setattr(module, function, _interrupt)
  name, *arguments = command.replace('{}', str(things.folder)).split()
  done = call(
    name,
    *arguments,
    f'--model={things.model}',
    f'--source={things.picture}',
    '--confirm_rights',
    f'--output={tmp_path / "out"}',
  )
  assert done.code == 130
  assert done.err.splitlines()[-1] == f'{name}: interrupted'
  assert list(tmp_path.iterdir()) == []


def test_an_interrupted_process_leaves_nothing(things, tmp_path):
  points = np.load(things.landmarks)['points'].repeat(5_000, 0)
  driver = tmp_path / 'long.npz'
  save_landmarks(driver, points, np.arange(len(points)) / 25)
  process = start(
    'animate',
    f'--person={things.person}',
    f'--driver={driver}',
    f'--output={tmp_path / "folder"}',
  )
  while not list(tmp_path.glob('.animation-*')):
    assert process.poll() is None, finish(process)
    time.sleep(0.1)
  process.send_signal(signal.SIGINT)
  done = finish(process)
  assert done.code == 130, done.err
  assert done.err.splitlines()[-1] == 'animate: interrupted'
  assert 'Traceback' not in done.err
  assert list(tmp_path.iterdir()) == [driver]


def _run_python(program: str):
  return subprocess.run(
    [*PYTHON, '-c', program], capture_output=True, text=True, cwd=ROOT
  )


# A signal comes while this runs, and its KeyboardInterrupt is lost.
DROPS = {
  'by __del__': """
class Drops:
  def __del__(self):
    signal.raise_signal(signal.SIGINT)
Drops()
""",
  'by a bare except': """
try:
  signal.raise_signal(signal.SIGINT)
except:
  pass
""",
}


@pytest.mark.parametrize('how', list(DROPS))
def test_an_interrupt_that_is_dropped_comes_again(how):
  done = _run_python(f"""
import launch, signal, time
{DROPS[how]}
try:
  time.sleep(60)
except KeyboardInterrupt:
  print('came')
""")
  assert (done.stdout, done.stderr) == ('came\n', '')


def test_an_interrupt_comes_once_where_the_end_takes_time():
  done = _run_python("""
import signal, time
from launch import app
def main():
  try:
    signal.raise_signal(signal.SIGINT)
  finally:
    time.sleep(1)
    print('tidied')
app.run(main)
""")
  assert done.returncode == 130
  assert (done.stdout, done.stderr) == ('tidied\n', '-c: interrupted\n')


def test_an_interrupt_amid_imports_is_one_line():
  done = _run_python('import launch\nraise KeyboardInterrupt')
  assert done.returncode == -signal.SIGINT
  assert done.stderr == '-c: interrupted\n'
