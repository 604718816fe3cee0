r"""Goes on with a training whose TPU was preempted, from its checkpoint.

python -m launch.tpu.resume --name=heads --zone=us-west4-a \
  --accelerator_type=v5litepod-8 --config=configs/voxceleb2_256.py \
  --workdir=gs://BUCKET/runs/heads --watch

A queued resource that is lost is deleted and asked for again; then the code
is installed and the training started. Where all is well nothing is done.
--watch looks again and again until the training is done.
"""

import time

from absl import flags, logging

from flaxheads.errors import RunFailedError
from launch import app
from launch.tpu import _flags, _queue, _remote, _types

_TPU = _flags.tpu_flags()
_REQUEST = _flags.request_flags()
_INSTALL = _flags.code_flags()
_TRAINING = _flags.training_flags()
_PATIENCE = _flags.patience_flags()
_WATCH = flags.DEFINE_bool('watch', False, 'Until the training is done.')

_LOOKS = 16  # times --poll_seconds between two looks at a training that runs
_TOLERATED = 5  # looks in a row that may fail: networks do


def _print_plan(tpu, request, install, start):
  print('# what there is:')
  tpu.describe_request()
  tpu.describe_node()
  print('# if it is FAILED, SUSPENDED or preempted:')
  tpu.delete()
  print('# if it was so, or there is none; then wait until it is ACTIVE:')
  tpu.create(request)
  print('# what the training does:')
  tpu.ssh(_remote.look())
  print('# unless it runs or is done:')
  tpu.ssh(install)
  tpu.ssh(start)


def _go_on(tpu, request, install, start, patience, may_restart):
  """Brings TPU and training back, if need be.

  Args:
    tpu: the Tpu.
    request: what to ask for.
    install: the line of shell that installs.
    start: the line of shell that starts.
    patience: of _flags.
    may_restart: whether a training that has ended on a sound TPU is started.

  Returns:
    'running' or 'done'; 'failed' or 'stopped' unless it may be restarted.
  """
  state = 'absent'
  if not _queue.bring_back(tpu, request, patience):
    hosts = _types.for_cloud_tpu(request.accelerator_type).hosts
    state = _remote.state(tpu.ssh(_remote.look()), hosts)
    print(f'{tpu.name}: the TPU is there, the training is {state}', flush=True)
  if state == 'unknown':
    raise RunFailedError(
      f'{tpu.name}: fewer or more workers answered than the {hosts} of'
      f' {request.accelerator_type}; is --accelerator_type what it is?'
    )
  if state in ('running', 'done'):
    return state
  if state in ('failed', 'stopped') and not may_restart:
    return state
  print(f'{tpu.name}: installing and starting', flush=True)
  tpu.ssh(install)
  tpu.ssh(start)
  return 'running'


def main():
  """Resumes."""
  tpu, request, patience = _TPU(), _REQUEST(), _PATIENCE()
  install, start = _INSTALL(), _remote.start(_TRAINING())
  if tpu.dry_run:
    _print_plan(tpu, request, install, start)
    return
  failures, first, state = 0, True, None
  while state != 'done':
    try:
      state = _go_on(tpu, request, install, start, patience, first)
      failures = 0
    except _queue.OutOfTimeError:
      raise
    except RunFailedError as error:
      failures += 1
      if not _WATCH.value or failures > _TOLERATED:
        raise
      logging.warning('%s; looking again', error)
    if state in ('failed', 'stopped'):
      raise RunFailedError(
        f'{tpu.name}: the training {state} on a sound TPU; python -m'
        ' launch.tpu.follow shows why. The TPU still costs'
      )
    if not _WATCH.value:
      break
    first = first and state is None
    if state != 'done':
      time.sleep(_LOOKS * patience.poll_seconds)
  if state == 'done':
    print(f'{tpu.name}: done; the TPU costs until launch.tpu.delete')


if __name__ == '__main__':
  app.run(main)
