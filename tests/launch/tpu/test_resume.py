"""A training goes on after the loss of its TPU, and is left alone otherwise."""

import pytest

from tests.launch.tpu.conftest import CODE, TRAINING

ARGUMENTS = (
  '--accelerator_type=v5litepod-16',
  *(*CODE, *TRAINING, '--poll_seconds=0'),
)
MADE_ANEW = ['create', *['describe'] * 3, 'ssh install', 'ssh start']
LOOKED = ['describe', 'describe', 'ssh look']
SERVICE = (
  'service LoadState={} ActiveState={} Result={}'
  ' ExecMainStatus={} ExecMainExitTimestampMonotonic={}'
)
RUNS = SERVICE.format('loaded', 'active', 'success', 0, 0)
WAITS = SERVICE.format('loaded', 'activating', 'exit-code', 1, 99)
DONE = SERVICE.format('loaded', 'inactive', 'success', 0, 99)
SAVED = SERVICE.format('loaded', 'inactive', 'success', 75, 99)
NEVER = SERVICE.format('loaded', 'inactive', 'success', 0, 0)
WRONG = SERVICE.format('loaded', 'failed', 'exit-code', 2, 99)


@pytest.fixture
def trained(cloud):
  """A training that runs."""
  cloud.set(queued='ACTIVE', node='READY', service=RUNS, type='v5litepod-16')
  return cloud


@pytest.mark.parametrize('service', [RUNS, WAITS])
def test_what_runs_is_left_alone(trained, service):
  trained.set(service=service)
  done = trained.run('resume', *ARGUMENTS)
  assert (done.code, done.err) == (0, '')
  assert done.out == 'heads: the TPU is there, the training is running\n'
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
def test_what_was_lost_is_made_anew(trained, queued, node):
  trained.set(queued=queued, node=node)
  done = trained.run('resume', *ARGUMENTS)
  assert (done.code, done.err) == (0, '')
  looks = ['describe'] * (2 if queued == 'ACTIVE' else 1)
  assert trained.verbs() == [*looks, 'delete', *MADE_ANEW]
  again = trained.run('resume', *ARGUMENTS)
  assert 'the training is running' in again.out


def test_what_is_on_its_way_is_waited_for(trained):
  trained.set(coming=['SUSPENDING', 'SUSPENDED'])
  assert trained.run('resume', *ARGUMENTS).code == 0
  assert trained.verbs() == ['describe', 'describe', 'delete', *MADE_ANEW]


def test_waiting_has_an_end_also_when_watching(trained):
  trained.set(coming=['WAITING_FOR_RESOURCES'])
  done = trained.run('resume', *ARGUMENTS, '--watch', '--wait_hours=0')
  assert (done.code, done.err.count('\n')) == (1, 1)
  assert '--wait_hours: heads is WAITING_FOR_RESOURCES after 0.0' in done.err
  assert trained.verbs() == ['describe']


def test_what_is_not_there_is_asked_for(cloud):
  assert cloud.run('resume', *ARGUMENTS).code == 0
  assert cloud.verbs() == ['describe', *MADE_ANEW]


def test_it_asks_for_what_create_asks_for(cloud):
  assert cloud.run('resume', *ARGUMENTS, '--project=mine').code == 0
  resumed = cloud.calls()[1]
  cloud.set(queued=None, node=None)
  flags = (ARGUMENTS[0], '--wait_hours=0', '--project=mine')
  assert cloud.run('create', *flags).code == 0
  assert cloud.calls() == [resumed]


@pytest.mark.parametrize(
  'service', [WRONG, SAVED, NEVER, 'service LoadState=not-found']
)
def test_a_training_that_does_not_run_is_started(trained, service):
  trained.set(service=service)
  assert trained.run('resume', *ARGUMENTS).code == 0
  assert trained.verbs() == [*LOOKED, 'ssh install', 'ssh start']


def test_a_training_that_is_done_stays_done(trained):
  trained.set(service=DONE)
  done = trained.run('resume', *ARGUMENTS)
  assert done.code == 0
  assert 'done; the TPU costs until launch.tpu.delete' in done.out
  assert trained.verbs() == LOOKED


def test_the_wrong_type_is_noticed(trained):
  arguments = [*ARGUMENTS]
  arguments[0] = '--accelerator_type=v5litepod-64'
  done = trained.run('resume', *arguments)
  assert (done.code, done.err.count('\n')) == (1, 1)
  assert 'the 16 of v5litepod-64' in done.err
  assert trained.verbs() == LOOKED


def test_a_tpu_under_repair_is_not_deleted(trained):
  trained.set(node='REPAIRING')
  done = trained.run('resume', *ARGUMENTS)
  assert (done.code, 'the TPU is REPAIRING' in done.err) == (1, True)
  assert trained.verbs() == ['describe', 'describe']


def _watch(cloud, monkeypatch, *events):
  """Runs with --watch; each pause between looks, the next event happens."""
  left = list(events)

  def pause(_):
    assert left, 'it looks again without need'
    cloud.set(**left.pop(0))

  monkeypatch.setattr('time.sleep', pause)
  done = cloud.run('resume', *ARGUMENTS, '--watch')
  assert not left
  return done


def test_watching_goes_on_until_the_training_is_done(trained, monkeypatch):
  trained.set(then=['ACTIVE'])
  done = _watch(
    trained,
    monkeypatch,
    {'queued': 'SUSPENDED', 'node': None},
    {'then': ['ACTIVE'], 'node': 'PREEMPTED'},
    {'service': DONE},
  )
  assert (done.code, done.err) == (0, '')
  anew = ['delete', 'create', 'describe', 'ssh install', 'ssh start']
  assert trained.verbs() == [
    *LOOKED,
    *['describe', *anew],
    *['describe', 'describe', *anew],
    *LOOKED,
  ]


@pytest.mark.parametrize('service', [WRONG, SAVED])
def test_watching_does_not_repeat_a_failure(trained, monkeypatch, service):
  done = _watch(trained, monkeypatch, {'service': service})
  assert (done.code, done.err.count('\n')) == (1, 1)
  assert 'on a sound TPU' in done.err
  assert trained.verbs() == LOOKED * 2


def test_watching_tolerates_a_network_that_fails(trained, monkeypatch):
  said = 'ERROR: (gcloud) There was a problem refreshing your tokens'
  trained.set(fails=[['--format=json', said, 1, 5]])
  done = _watch(trained, monkeypatch, *[{}] * 5, {'service': DONE})
  assert done.code == 0
  assert done.err.count('looking again') == 5
  trained.set(fails=[['--format=json', said, 1, 6]])
  done = _watch(trained, monkeypatch, *[{}] * 5)
  assert (done.code, done.err.count('\n')) == (1, 6)


def test_without_watching_a_failure_ends_it(trained):
  trained.set(fails=[['systemctl show', 'ssh: no route', 255, 1]])
  done = trained.run('resume', *ARGUMENTS)
  assert (done.code, done.err.count('\n')) == (1, 1)
  assert 'ssh heads failed (255): ssh: no route' in done.err
