"""The lines of shell do in a shell what they are for."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from launch.tpu import _remote
from tests.launch.commands import ROOT

TRICKY = """--config.x=it's 5% of $HOME "and" `so` \\n on;"""
UV = """cat >"$UV_UNMANAGED_INSTALL/uv" <<'END'
#!/bin/sh
echo "uv $*" >>"$LOG"
case "$*" in venv*) mkdir -p .venv/bin; ln -s /bin/true .venv/bin/python;; esac
END
chmod +x "$UV_UNMANAGED_INSTALL/uv"
"""


def _program(path, text):
  path.write_text(f'#!/bin/sh\n{text}')
  path.chmod(0o755)


@pytest.fixture
def worker(tmp_path, monkeypatch):
  """A machine with sudo, curl and systemctl that only write down."""
  programs = tmp_path / 'bin'
  programs.mkdir()
  log = tmp_path / 'log'
  log.touch()
  note = f'echo "${{0##*/}} $*" >>{log}\n'
  _program(programs / 'sudo', f'{note}exec "$@"\n')
  _program(programs / 'curl', f"{note}mkdir -p .uv; cat <<'UV'\n{UV}UV\n")
  _program(programs / 'systemctl', f'{note}[ "$1" != reset-failed ]\n')
  _program(programs / 'gcloud', note)
  _program(programs / 'tee', f'exec cat >{tmp_path}/written\n')
  monkeypatch.setenv('PATH', f'{programs}{os.pathsep}{os.environ["PATH"]}')
  monkeypatch.setenv('LOG', str(log))
  return tmp_path


def _shell(line):
  return subprocess.run(['bash', '-c', line], capture_output=True, text=True)


def _repository(path):
  path.mkdir()
  (path / 'requirements.txt').write_text('jax==1\n')

  def git(*words):
    user = ('-c', 'user.name=a', '-c', 'user.email=a@example.org')
    subprocess.run(('git', '-C', path, *user, *words), check=True)

  git('init', '--quiet', '--initial-branch=main')
  git('add', '.')
  git('commit', '--quiet', '--message=One')
  git('tag', 'v1')
  (path / 'requirements.txt').write_text('jax==2\n')
  git('commit', '--quiet', '--all', '--message=Two')


def test_install_fetches_a_revision_and_can_be_repeated(worker):
  _repository(worker / 'origin')
  clone = worker / 'in stalled'
  for revision, version in (('v1', 1), ('v1', 1), ('main', 2)):
    line = _remote.install(
      f'file://{worker}/origin', revision, 'gs://b/it s', str(clone)
    )
    done = _shell(line)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.endswith(('One\n', 'Two\n')[version - 1])
    assert (clone / 'requirements.txt').read_text() == f'jax=={version}\n'
  log = (worker / 'log').read_text().splitlines()
  assert sum(line.startswith('curl') for line in log) == 1
  assert log.count('uv venv --quiet --python=3.12 .venv') == 1
  pip = [line for line in log if line.startswith('uv pip install')]
  copy = 'gcloud storage rsync --recursive --quiet gs://b/it s data_dir'
  assert log.count(copy) == 3 and (clone / 'data_dir').is_dir()
  assert len(pip) == 3 and pip[0].endswith('requirements.txt jax[tpu] gcsfs')


def test_install_fails_where_one_of_its_steps_does(worker):
  _repository(worker / 'origin')
  line = _remote.install(
    f'file://{worker}/origin', 'v9', directory=f'{worker}/clone'
  )
  done = _shell(line)
  assert done.returncode
  assert "couldn't find remote ref v9" in done.stderr
  assert 'installed' not in done.stdout


def _started_unit(worker, *train_flags):
  training = _remote.Training('configs/tiny.py', 'gs://b/runs', train_flags)
  done = _shell(_remote.start(training, str(ROOT)))
  assert (done.returncode, done.stdout, done.stderr) == (0, '', '')
  return (worker / 'written').read_text()


def test_start_writes_a_service_and_starts_it(worker):
  unit = _started_unit(worker, TRICKY)
  user = subprocess.check_output(['id', '-un'], text=True).strip()
  lines = unit.splitlines()
  assert (
    lines.index('[Unit]')
    < lines.index('[Service]')
    < lines.index(f'User={user}')
    < lines.index('[Install]')
  )
  assert f'WorkingDirectory={ROOT}' in lines
  assert {'Restart=on-failure', 'RestartForceExitStatus=75'} <= set(lines)
  # systemd.syntax(7): C escapes in quotes; systemd.service(5): %% and $$.
  assert (
    f'ExecStart="{ROOT}/.venv/bin/python" "-m" "launch.train"'
    ' "--config=configs/tiny.py" "--workdir=gs://b/runs" "--distributed"'
    r' "--config.x=it' + "'s 5%% of $$HOME"
    r' \"and\" `so` \\n on;"'
  ) in lines
  log = (worker / 'log').read_text().splitlines()
  verbs = [ln.split()[1] for ln in log if ln.startswith('systemctl')]
  assert verbs == ['daemon-reload', 'enable', 'reset-failed', 'restart']


@pytest.mark.skipif(
  shutil.which('systemd-analyze') is None, reason='systemd is not installed'
)
def test_systemd_understands_the_service(worker):
  unit = _started_unit(worker, TRICKY)
  python = f'{ROOT}/.venv/bin/python'
  path = worker / 'flaxheads.service'

  def verify(text):
    path.write_text(text.replace(python, sys.executable))
    verify = ('systemd-analyze', 'verify', '--man=no', path)
    done = subprocess.run(verify, capture_output=True, text=True)
    return done.stdout + done.stderr

  if 'StartLimitBrst' not in verify(unit.replace('Burst', 'Brst')):
    pytest.skip('systemd-analyze does not work here')
  assert str(path) not in verify(unit)


def test_look_prints_one_line(worker):
  _program(
    worker / 'bin' / 'systemctl',
    'printf "LoadState=loaded\\nActiveState=failed\\nResult=exit-code\\n"',
  )
  done = _shell(_remote.look())
  assert done.stdout == (
    'service LoadState=loaded ActiveState=failed Result=exit-code\n'
  )
  assert _remote.state(done.stdout, hosts=1) == 'failed'


def _service(active, result='success', status=0, ended=9):
  return (
    f'service ActiveState={active} Result={result} LoadState=loaded'
    f' ExecMainStatus={status} ExecMainExitTimestampMonotonic={ended}'
  )


RUNS, DONE = _service('active', ended=0), _service('inactive')
WRONG, SAVED = (
  _service('failed', 'exit-code', 2),
  _service('inactive', status=75),
)
ABSENT = 'service LoadState=not-found ActiveState=inactive Result=success'


@pytest.mark.parametrize(
  'answers, state',
  [
    ([RUNS, RUNS], 'running'),
    ([RUNS, DONE], 'running'),  # the other is about to end
    ([_service('activating', 'exit-code', 1), RUNS], 'running'),
    ([_service('deactivating'), RUNS], 'running'),
    ([DONE, DONE], 'done'),
    ([DONE, SAVED], 'stopped'),
    ([SAVED, RUNS], 'stopped'),
    ([DONE, _service('inactive', ended=0)], 'stopped'),
    ([RUNS, WRONG], 'failed'),
    ([WRONG, ABSENT], 'absent'),
    ([RUNS, ABSENT], 'absent'),
    ([RUNS], 'unknown'),
    ([RUNS] * 3, 'unknown'),
    (['Warning: added to known hosts', RUNS, RUNS, ''], 'running'),
  ],
)
def test_what_the_workers_answer_means_one_thing(answers, state):
  assert _remote.state('\n'.join(answers), hosts=2) == state


def test_a_line_is_a_line():
  training = _remote.Training('c.py', 'gs://b', (TRICKY,))
  for line in (_remote.install('https://x', 'v1'), _remote.start(training)):
    assert json.dumps(line).count(r'\n') == line.count(r'\n')
    assert line.isprintable()
