"""Every command calls gcloud exactly so, and tells its failures in a line."""

import shlex

import pytest

from tests.launch.commands import call
from tests.launch.tpu import standin
from tests.launch.tpu.conftest import CODE, PLACE, TRAINING

TYPE = '--accelerator_type=v5litepod-8'
QUICK = '--poll_seconds=0'
SSH = ['compute', 'tpus', 'tpu-vm', 'ssh', 'heads', '--zone=us-west4-a']
DESCRIBE = (
  'compute tpus queued-resources describe heads --zone=us-west4-a --format=json'
).split()
ALL = {
  'create': (TYPE,),
  'install': CODE,
  'start': TRAINING,
  'follow': (),
  'resume': (TYPE, *CODE, *TRAINING),
  'stop': (),
  'delete': (),
}


def test_create_asks_for_a_spot_tpu_and_waits(cloud):
  done = cloud.run('create', TYPE, QUICK)
  assert (done.code, done.err) == (0, '')
  assert cloud.calls() == [
    'compute tpus queued-resources create heads --node-id=heads'
    ' --zone=us-west4-a --accelerator-type=v5litepod-8'
    ' --runtime-version=v2-alpha-tpuv5-lite --spot'.split(),
    *[DESCRIBE] * 3,
  ]
  assert done.out.splitlines()[:2] == [
    'heads: WAITING_FOR_RESOURCES for 0 min; next look in 0 s',
    'heads: PROVISIONING for 0 min; next look in 0 s',
  ]
  assert 'v5litepod-8 is there' in done.out


def test_create_passes_its_flags_on(cloud):
  flags = ('--nospot', '--project=mine', '--wait_hours=0')
  more = ('--create_flag=--internal-ips', '--create_flag=--reserved')
  kind = ('--accelerator_type=v4-32', '--runtime_version=v2-alpha-tpuv6e')
  assert cloud.run('create', *kind, *flags, *more).code == 0
  assert cloud.calls() == [
    'compute tpus queued-resources create heads --node-id=heads'
    ' --zone=us-west4-a --project=mine --accelerator-type=v4-32'
    ' --runtime-version=v2-alpha-tpuv6e --internal-ips --reserved'.split()
  ]


def test_a_tpu_vm_without_a_queue(cloud):
  assert cloud.run('create', TYPE, '--noqueued').code == 0
  assert cloud.run('delete', '--noqueued').code == 0
  assert cloud.calls() == [
    'compute tpus tpu-vm create heads --zone=us-west4-a'
    ' --accelerator-type=v5litepod-8 --version=v2-alpha-tpuv5-lite'
    ' --spot'.split(),
    'compute tpus tpu-vm delete heads --zone=us-west4-a --quiet'.split(),
  ]


def test_from_create_to_delete(cloud):
  for name in ('create', 'install', 'start', 'stop', 'delete'):
    patience = (QUICK,) if name == 'create' else ()
    done = cloud.run(name, *ALL[name], *patience)
    assert (done.code, done.err) == (0, ''), name
  *_, install, start, stop, delete = cloud.calls()
  for argv in (install, start, stop):
    assert argv[:7] == [*SSH, '--worker=all'] and len(argv) == 8
  assert 'https://example.org/flaxheads.git v1 ' in install[-1]
  words = '"launch.train" "--config=configs/tiny.py"'
  assert (
    f'{words} "--workdir=gs://bucket/runs/heads" "--distributed"' in (start[-1])
  )
  assert delete == [
    *'compute tpus queued-resources delete heads'.split(),
    *('--zone=us-west4-a', '--force', '--quiet'),
  ]


def test_follow_shows_the_journal_of_one_worker(cloud, capfd):
  cloud.set(queued='ACTIVE', node='READY')
  assert cloud.run('follow', '--worker=3', '--lines=7').code == 0
  assert cloud.run('follow', '--worker=all', '--nofollow').code == 0
  log = 'sudo journalctl --unit=flaxheads.service --output=cat --lines='
  assert cloud.calls() == [
    [*SSH, '--worker=3', f'--command={log}7 --follow'],
    [*SSH, '--worker=all', f'--command={log}50'],
  ]
  assert capfd.readouterr().out == 'sudo\nsudo\n'  # the stand-in's answer


def test_ssh_flags_and_training_flags_are_passed_on(cloud):
  cloud.set(queued='ACTIVE', node='READY')
  more = ('--ssh_flag=--internal-ip', "--train_flag=--config.x=it's 5% $A")
  assert cloud.run('start', *TRAINING, *more).code == 0
  (argv,) = cloud.calls()
  assert argv[7] == '--internal-ip'
  unit = shlex.split(argv[-1].removeprefix('--command='))
  (command,) = (word for word in unit if word.startswith('ExecStart='))
  assert command.endswith(' "--distributed" "--config.x=it\'s 5%% $$A"')


@pytest.mark.parametrize('name', ALL)
def test_dry_run_prints_commands_and_needs_no_gcloud(name, no_gcloud):
  done = call(f'tpu.{name}', *PLACE, *ALL[name], '--dry_run')
  assert (done.code, done.err) == (0, '')
  lines = [ln for ln in done.out.splitlines() if not ln.startswith('# ')]
  assert lines
  for line in lines:
    gcloud, *arguments = shlex.split(line)
    assert gcloud == 'gcloud'
    assert standin.parse(arguments)[2] == 'heads'


@pytest.mark.parametrize('name', ['create', 'resume'])
def test_dry_run_runs_nothing(name, cloud):
  assert cloud.run(name, *ALL[name], '--dry_run').code == 0
  assert cloud.calls() == []


def test_what_dry_run_prints_is_what_is_run(cloud):
  cloud.set(queued='ACTIVE', node='READY')
  for name in ('install', 'start', 'stop', 'delete'):
    printed = cloud.run(name, *ALL[name], '--dry_run').out
    assert cloud.run(name, *ALL[name]).code == 0
    assert [shlex.split(printed)[1:]] == cloud.calls()


@pytest.mark.parametrize('name', ALL)
def test_without_gcloud_one_line(name, no_gcloud):
  done = call(f'tpu.{name}', *PLACE, *ALL[name])
  assert done.code == 2
  assert done.err.count('\n') == 1
  assert 'gcloud is not on the PATH' in done.err


def test_a_failure_of_gcloud_is_told_in_one_line(cloud):
  done = cloud.run('delete')
  assert cloud.run('create', TYPE, QUICK).code == done.code == 0
  done = cloud.run('create', TYPE, QUICK)
  assert (done.code, done.err.count('\n')) == (1, 1)
  assert 'create heads failed (1): ERROR:' in done.err
  assert 'ALREADY_EXISTS' in done.err


def test_an_error_of_several_lines_becomes_one(cloud):
  said = 'ERROR: (gcloud.x) {\n  "code": 8,\n  "message": "no capacity"\n}'
  cloud.set(fails=[['create', f'{said}\n{"see " * 99}', 1, 1]])
  done = cloud.run('create', TYPE)
  assert (done.code, done.err.count('\n')) == (1, 1)
  assert '{ "code": 8, "message": "no capacity" } see' in done.err
  assert len(done.err) < 400


def test_a_failure_on_one_worker_is_a_failure(cloud):
  cloud.set(queued='ACTIVE', node='READY')
  said = (
    'SSH: Attempting to connect to worker 3...\n'
    'fatal: could not read from remote repository\n'
    '##### Command execution on worker 3 failed with exit status 128.'
  )
  cloud.set(fails=[['git fetch', said, 128, 1]])
  done = cloud.run('install', *CODE)
  assert (done.code, done.err.count('\n')) == (1, 1)
  assert 'failed (128): fatal: could not read' in done.err


def test_a_request_that_fails_says_why(cloud):
  cloud.set(then=['FAILED'])
  done = cloud.run('create', TYPE, QUICK)
  assert (done.code, done.err.count('\n')) == (1, 1)
  assert 'heads: the request is FAILED (no quota)' in done.err


def test_waiting_has_an_end(cloud):
  cloud.set(then=['WAITING_FOR_RESOURCES'] * 3)
  done = cloud.run('create', TYPE, '--wait_hours=1e-9', '--poll_seconds=1')
  assert (done.code, done.err.count('\n')) == (1, 1)
  assert '--wait_hours: heads is WAITING_FOR_RESOURCES' in done.err


MISTAKES = [
  ('create', (), '--accelerator_type is missing'),
  (
    'create',
    ('--accelerator_type=v5e-8',),
    "--accelerator_type: 'v5e-8' is not one of v4-8, v4-16, v4-32",
  ),
  (
    'create',
    ('--accelerator_type=tpu7x-2x2x4',),
    'tpu7x-2x2x4 comes through GKE alone',
  ),
  ('create', (TYPE, '--name=My_Heads'), "--name: 'My_Heads' is not a name"),
  ('create', (TYPE, '--zone='), '--zone is missing'),
  ('create', (TYPE, '--poll_seconds=-1'), '--poll_seconds: -1.0 is too small'),
  ('create', (TYPE, '--create_flag=internal-ips'), 'is not a flag; write'),
  (
    'install',
    ('--repository=git@example.org:x.git',),
    "--repository: 'git@example.org:x.git' is no https:// address",
  ),
  ('install', (*CODE, '--data=/data'), '--data: /data is not in Cloud Storage'),
  ('start', TRAINING[:1], '--workdir is missing'),
  ('start', (*TRAINING, '--workdir=runs/x'), 'would go with the TPU'),
  ('start', (*TRAINING, '--config=configs/no.py'), 'is no file of this clone'),
  ('start', (*TRAINING, '--config=/etc/hosts'), 'is no file of this clone'),
  ('start', (*TRAINING, '--train_flag=a=1'), "--train_flag: 'a=1' is not a"),
  ('start', (*TRAINING, '--train_flag=--a=\n'), 'is not a flag'),
  ('follow', ('--worker=x',), "--worker: 'x' is neither a number nor 'all'"),
  ('follow', ('--lines=-1',), '--lines: -1 is too small'),
  ('delete', ('--force',), 'force'),
]


@pytest.mark.parametrize('name, arguments, message', MISTAKES)
def test_a_mistake_is_one_line_and_nothing_is_asked_for(
  name, arguments, message, cloud
):
  done = cloud.run(name, *arguments)
  assert (done.code, done.out, done.err.count('\n')) == (2, '', 1)
  assert message in done.err
  assert cloud.calls() == []


def test_a_tpu_has_a_name():
  done = call('tpu.delete', '--zone=z')
  assert (done.code, done.err.count('\n')) == (2, 1)
  assert '--name is missing' in done.err


@pytest.mark.parametrize(
  'arguments, complaint',
  [
    (
      'compute tpus tpu-vm ssh heads --zone=z --command=ls --workers=all',
      '--w',
    ),
    ('compute tpus tpu-vm start heads --zone=z', 'Invalid choice'),
    ('compute tpus tpu-vm describe --zone=z', 'unrecognized'),
    ('compute tpus tpu-vm describe heads', '--zone'),
    (
      'compute tpus queued-resources delete heads --zone=z --force=1',
      '--force',
    ),
    (
      'compute tpus tpu-vm create heads --zone=z --accelerator-type=v5e-8'
      ' --version=tpu-ubuntu2204-base',
      'v5e-8 unknown',
    ),
  ],
)
def test_the_stand_in_refuses_what_gcloud_does_not_know(arguments, complaint):
  with pytest.raises(standin.Refused, match=complaint):
    standin.parse(arguments.split())
