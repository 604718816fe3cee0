"""launch.tpu.train requests, installs, starts and resumes, and nothing more."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest

from launch import _messages, app
from tests.launch import gcloud_proxy
from tests.launch.commands import ROOT, call

PLACE = ('--name=heads', '--zone=us-west4-a', '--accelerator_type=v5litepod-16')
TRAINING = ('--config=configs/tiny.py', '--workdir=gs://bucket/runs/heads')
CODE = ('--repository=https://example.org/flaxheads.git', '--revision=v1')
SERVICE = (
  'service LoadState={} ActiveState={} ExecMainStatus={}'
  ' ExecMainExitTimestampMonotonic={}'
)
RUNS = SERVICE.format('loaded', 'active', 0, 0)
RESTARTS = SERVICE.format('loaded', 'activating', 1, 99)
DONE = SERVICE.format('loaded', 'inactive', 0, 99)
SAVED = SERVICE.format('loaded', 'inactive', 75, 99)
NEVER = SERVICE.format('loaded', 'inactive', 0, 0)
WRONG = SERVICE.format('loaded', 'failed', 2, 99)
ABSENT = 'service LoadState=not-found ActiveState=inactive'

CREATED = ['create', 'describe', 'describe', 'describe']
LOOKED = ['describe', 'describe', 'ssh look']
STARTED = ['ssh look', 'ssh install']


class Cloud:
  """What there is, and what was asked of gcloud."""

  def __init__(self, folder):
    self.folder = folder
    self.world = folder / 'world.json'
    self.world.write_text('{}')
    then = ['PROVISIONING', 'ACTIVE']
    self.set(
      queued=None, node=None, coming=[], then=then, service=ABSENT, fails=0
    )

  def set(self, **values):
    world = json.loads(self.world.read_text()) | values
    self.world.write_text(json.dumps(world))

  def calls(self):
    """Arguments of gcloud since the last time."""
    path = self.folder / 'calls'
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [json.loads(line) for line in lines]

  def verbs(self):
    kinds = {'systemctl show': ' look', 'git fetch': ' install'}
    return [
      argv[3] + next((kinds[k] for k in kinds if k in argv[-1]), '')
      for argv in self.calls()
    ]

  def run(self, *more):
    words = (*PLACE, *CODE, *TRAINING, '--poll_seconds=0', *more)
    return call('tpu.train', *words)


@pytest.fixture
def cloud(tmp_path, monkeypatch):
  folder = tmp_path / 'cloud'
  (folder / 'bin').mkdir(parents=True)
  program = folder / 'bin' / 'gcloud'
  program.write_text(
    f'#!/bin/sh\nexec {sys.executable} -S {gcloud_proxy.__file__} "$@"\n'
  )
  program.chmod(0o755)
  monkeypatch.setenv('GCLOUD_PROXY', str(folder))
  path = f'{program.parent}{os.pathsep}{os.environ["PATH"]}'
  monkeypatch.setenv('PATH', path)
  return Cloud(folder)


@pytest.fixture
def trained(cloud):
  """A training that runs."""
  cloud.set(queued='ACTIVE', node='READY', service=RUNS)
  return cloud


def test_a_missing_tpu_is_requested_installed_and_started(cloud):
  done = cloud.run('--create_flag=--internal-ips', '--project_is_unknown')
  assert done.code == _messages.USAGE_ERROR
  done = cloud.run('--create_flag=--internal-ips')
  assert (done.code, done.err) == (0, '')
  calls = cloud.calls()
  assert calls[1] == (
    'compute tpus queued-resources create heads --zone=us-west4-a'
    ' --node-id=heads --accelerator-type=v5litepod-16'
    ' --runtime-version=v2-alpha-tpuv5-lite --spot --internal-ips'.split()
  )
  assert calls[-1][-1].endswith(
    "bash launch/tpu/worker.sh '' --config=configs/tiny.py"
    ' --workdir=gs://bucket/runs/heads'
  )
  assert cloud.run().code == 0
  assert cloud.verbs() == LOOKED  # it runs now


@pytest.mark.parametrize('service', [RUNS, RESTARTS, DONE])
def test_what_runs_or_is_done_is_left_alone(trained, service):
  trained.set(service=service)
  done = trained.run()
  assert (done.code, done.err) == (0, '')
  assert ('the TPU costs' in done.out) == (service == DONE)
  assert trained.verbs() == LOOKED


@pytest.mark.parametrize(
  'queued, node',
  [
    ('SUSPENDED', None),
    ('FAILED', None),
    ('ACTIVE', 'PREEMPTED'),
    ('ACTIVE', None),
  ],
)
def test_a_lost_tpu_is_requested_again(trained, queued, node):
  trained.set(queued=queued, node=node)
  assert trained.run().code == 0
  looks = ['describe'] * (2 if queued == 'ACTIVE' else 1)
  assert trained.verbs() == [*looks, 'delete', *CREATED, *STARTED]


def test_a_request_on_its_way_is_waited_for(trained):
  trained.set(coming=['SUSPENDING', 'SUSPENDED'])
  assert trained.run().code == 0
  assert trained.verbs() == [
    *('describe', 'describe', 'delete'),
    *(*CREATED, *STARTED),
  ]


def test_a_request_that_is_refused_is_not_repeated(cloud):
  cloud.set(then=['FAILED'])
  done = cloud.run()
  assert (done.code, done.err.count('\n')) == (1, 1)
  assert 'the request is FAILED' in done.err


@pytest.mark.parametrize('service', [WRONG, SAVED, NEVER, ABSENT])
def test_a_training_that_does_not_run_is_started(trained, service):
  trained.set(service=service)
  assert trained.run().code == 0
  assert trained.verbs() == [*LOOKED, 'ssh install']


def test_a_tpu_under_repair_is_not_deleted(trained):
  trained.set(node='REPAIRING')
  done = trained.run()
  assert (done.code, 'the TPU is REPAIRING' in done.err) == (1, True)
  assert trained.verbs() == ['describe', 'describe']


def _watch(cloud, monkeypatch, *events):
  """Runs with --watch; in each pause between checks the next event happens."""
  left = list(events)

  def pause(_):
    assert left, 'it checks again without need'
    cloud.set(**left.pop(0))

  monkeypatch.setattr('time.sleep', pause)
  done = cloud.run('--watch')
  assert not left
  return done


def test_watching_resumes_until_the_training_is_done(trained, monkeypatch):
  trained.set(then=['ACTIVE'])
  done = _watch(
    trained,
    monkeypatch,
    {'queued': 'SUSPENDED', 'node': None},
    {'then': ['ACTIVE'], 'node': 'PREEMPTED'},
    {'service': DONE},
  )
  assert (done.code, done.err) == (0, '')
  anew = ['delete', 'create', 'describe', 'describe', *STARTED]
  assert trained.verbs() == [
    *LOOKED,
    *('describe', *anew),
    *('describe', 'describe', *anew),
    *LOOKED,
  ]


@pytest.mark.parametrize('service', [WRONG, SAVED])
def test_watching_does_not_repeat_a_failure(trained, monkeypatch, service):
  done = _watch(trained, monkeypatch, {'service': service})
  assert (done.code, done.err.count('\n')) == (1, 1)
  assert 'on a healthy TPU' in done.err
  assert trained.verbs() == LOOKED * 2


def test_watching_tolerates_a_network_that_fails(trained, monkeypatch):
  trained.set(fails=5)
  done = _watch(trained, monkeypatch, *[{}] * 5, {'service': DONE})
  assert done.code == 0
  assert done.err.count('trying again') == 5
  trained.set(fails=6)
  done = _watch(trained, monkeypatch, *[{}] * 5)
  assert (done.code, done.err.count('\n')) == (1, 6)


@pytest.mark.parametrize(
  'answers, state',
  [
    ([RUNS, RUNS], 'running'),
    ([RUNS, DONE], 'running'),  # the other is about to end
    ([DONE, DONE], 'done'),
    ([DONE, SAVED], 'stopped'),
    ([DONE, NEVER], 'stopped'),
    ([RUNS, WRONG], 'failed'),
    ([WRONG, ABSENT], 'absent'),
    ([], 'absent'),
    (['Warning: added to known hosts', RUNS, ''], 'running'),
  ],
)
def test_the_state_is_that_of_all_workers(trained, answers, state):
  trained.set(service='\n'.join(answers), fails=0)
  assert f'heads: the training is {state}\n' in trained.run().out


@pytest.mark.parametrize(
  'flag, said',
  [
    ('--workdir=/runs', 'gs://'),
    ('--data=data', 'gs://'),
    ('--repository=git@host:x', 'https://'),
    ('--config=nothing.py', 'configs/NAME.py'),
    ('--accelerator_type=v99-8', 'v5litepod'),
  ],
)
def test_wrong_flags_are_usage_errors(cloud, flag, said):
  done = cloud.run(flag)
  assert (done.code, done.err.count('\n')) == (2, 1)
  assert said in done.err
  assert not cloud.calls()


UV = """mkdir -p .uv; cat <<'END' >.uv/uv
#!/bin/sh
echo "uv $*" >>"$LOG"
case "$*" in venv*) mkdir -p .venv/bin; ln -s /bin/true .venv/bin/python;; esac
END
chmod +x .uv/uv
"""
TRICKY = """--config.x=it's 5% of $HOME "and" `so` \\n on;"""


def test_the_worker_installs_once_and_writes_the_service(tmp_path, monkeypatch):
  programs, clone, log = (tmp_path / name for name in ('bin', 'c', 'log'))
  programs.mkdir()
  note = f'#!/bin/sh\necho "${{0##*/}} $*" >>{log}\n'
  for name, more in (
    ('sudo', 'exec "$@"\n'),
    ('curl', UV),
    ('systemctl', '[ "$1" != reset-failed ]\n'),
    ('gcloud', ''),
    ('tee', f'exec cat >{tmp_path}/unit\n'),
  ):
    (programs / name).write_text(note + more)
    (programs / name).chmod(0o755)
  monkeypatch.setenv('PATH', f'{programs}{os.pathsep}{os.environ["PATH"]}')
  monkeypatch.setenv('LOG', str(log))
  (clone / 'launch' / 'tpu').mkdir(parents=True)
  for name in ('worker.sh', 'flaxheads.service'):
    text = (ROOT / 'launch' / 'tpu' / name).read_text()
    (clone / 'launch' / 'tpu' / name).write_text(text)
  for _ in range(2):
    subprocess.run(
      ['bash', clone / 'launch/tpu/worker.sh', 'gs://b/it s', TRICKY],
      check=True,
      capture_output=True,
    )
  said = log.read_text().splitlines()
  assert sum(line.startswith('curl') for line in said) == 1
  assert said.count('uv venv --quiet --python=3.12 .venv') == 1
  copy = 'gcloud storage rsync --recursive --quiet gs://b/it s data_dir'
  assert said.count(copy) == 2
  verbs = [ln.split()[1] for ln in said if ln.startswith('systemctl')]
  assert verbs == ['daemon-reload', 'enable', 'reset-failed', 'restart'] * 2
  words = shlex.split((clone / 'command.sh').read_text())
  assert words == [
    *('exec', '.venv/bin/python', '-m', 'launch.train', '--distributed'),
    TRICKY,
  ]
  unit = (tmp_path / 'unit').read_text()
  user = subprocess.check_output(['id', '-un'], text=True).strip()
  assert f'[Service]\nUser={user}\nWorkingDirectory={clone}\n' in unit
  assert f'RestartPreventExitStatus={_messages.USAGE_ERROR}\n' in unit
  assert f'RestartForceExitStatus={app.PREEMPTED}\n' in unit


def test_the_commands_of_the_docs_can_be_typed(tmp_path, monkeypatch):
  text = (ROOT / 'docs' / 'tpu.md').read_text().replace('\\\n', ' ')
  blocks = re.findall(r'^```sh\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
  lines = [shlex.split(ln) for block in blocks for ln in block.splitlines()]
  monkeypatch.chdir(ROOT)
  monkeypatch.setenv('PATH', str(tmp_path))  # without gcloud
  (ours,) = [
    ln for ln in lines if ln[:3] == 'python -m launch.tpu.train'.split()
  ]
  done = call('tpu.train', *ours[3:], '--dry_run')
  assert (done.code, done.err) == (0, '')
  printed = [shlex.split(ln) for ln in done.out.splitlines()]
  typed = [
    ln for ln in [*printed, *lines] if ln[:3] == ['gcloud', 'compute', 'tpus']
  ]
  assert len(typed) >= 8
  for words in typed:
    gcloud_proxy.parse(words[1:])
