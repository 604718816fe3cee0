r"""Trains on a Cloud TPU VM: requests it, installs, starts, and resumes.

python -m launch.tpu.train --name=heads --zone=us-west4-a \
  --accelerator_type=v5litepod-8 --repository=https://HOST/flaxheads.git \
  --config=configs/v5e_8.py --workdir=gs://BUCKET/runs/heads --watch

Each call does what is missing: it requests the queued resource (again after a
preemption), installs the code on all workers, and starts the training from the
newest checkpoint of its workdir. A running training is left alone. With --watch
this repeats until the training is done. --dry_run prints the commands.
"""

import json
import shlex
import subprocess
import time
from pathlib import Path

from absl import flags, logging

from flaxheads.errors import RunFailedError, UserError, check_choice
from launch import app

_NAME = flags.DEFINE_string('name', None, 'Name of the TPU; you choose it.')
_ZONE = flags.DEFINE_string(
  'zone', None, 'Zone of the TPU, such as us-west4-a.'
)
_TYPE = flags.DEFINE_string(
  'accelerator_type', None, 'Type as gcloud names it, such as v5litepod-8.'
)
_SPOT = flags.DEFINE_bool(
  'spot', True, 'Request a spot TPU: cheaper, may be preempted.'
)
_GCLOUD = flags.DEFINE_multi_string(
  'create_flag', [], "Flag for gcloud's create, such as --internal-ips."
)
_SSH = flags.DEFINE_multi_string(
  'ssh_flag', [], "Flag for gcloud's ssh, such as --internal-ip."
)
_REPOSITORY = flags.DEFINE_string(
  'repository', None, 'https address from which the workers fetch the code.'
)
_REVISION = flags.DEFINE_string(
  'revision', 'main', 'Branch, tag or commit to train.'
)
_DATA = flags.DEFINE_string(
  'data', '', 'Folder in Cloud Storage to copy to data_dir on the workers.'
)
_CONFIG = flags.DEFINE_string('config', None, 'A file in configs/.')
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Folder of the run in Cloud Storage, gs://BUCKET/...'
)
_MORE = flags.DEFINE_multi_string('train_flag', [], 'Flag for launch.train.')
_WATCH = flags.DEFINE_bool('watch', False, 'Repeat until training is done.')
_POLL = flags.DEFINE_float('poll_seconds', 60.0, 'Seconds between two checks.')
_DRY_RUN = flags.DEFINE_bool(
  'dry_run', False, 'Print the gcloud commands, run none.'
)

# cloud.google.com/tpu/docs/runtimes, "PyTorch and JAX".
RUNTIMES = {
  'v4': 'tpu-ubuntu2204-base',
  'v5litepod': 'v2-alpha-tpuv5-lite',
  'v6e': 'v2-alpha-tpuv6e',
}
# States of a queued resource that end in no TPU
# (cloud.google.com/tpu/docs/queued-resources).
_LOST = ('FAILED', 'SUSPENDED')
_FOLDER = '/opt/flaxheads'
_LOOK = 'echo service $(systemctl show flaxheads.service --property={})'.format(
  'LoadState,ActiveState,ExecMainStatus,ExecMainExitTimestampMonotonic'
)
_MAX_FAILURES = 5  # of gcloud in a row, with --watch


class TrainingEndedError(RunFailedError):
  """The training ended on a healthy TPU."""

  def __init__(self, state: str):
    super().__init__(
      f'{_NAME.value}: the training {state} on a healthy TPU; its log says why'
      ' (docs/tpu.md). The TPU still costs'
    )


def _check_flags() -> None:
  app.check_given(_NAME, _ZONE, _TYPE, _REPOSITORY, _CONFIG, _WORKDIR)
  check_choice(
    '--accelerator_type', _TYPE.value.partition('-')[0], tuple(RUNTIMES)
  )
  if not _REPOSITORY.value.startswith('https://'):
    raise UserError(f'--repository={_REPOSITORY.value}: not https://...')
  if not Path(_CONFIG.value).is_file() or Path(_CONFIG.value).is_absolute():
    raise UserError(f'--config={_CONFIG.value}: name it as configs/NAME.py')
  for holder in (_WORKDIR, _DATA):
    if holder.value and not holder.value.startswith('gs://'):
      raise UserError(
        f'--{holder.name}={holder.value}: not in Cloud Storage, gs://BUCKET/...'
      )


def _gcloud(kind: str, verb: str, *words: str) -> str:
  """Runs gcloud compute tpus KIND VERB; returns what it prints."""
  argv = ['gcloud', 'compute', 'tpus', kind, verb, _NAME.value]
  argv += [f'--zone={_ZONE.value}', *words]
  if _DRY_RUN.value:
    print(shlex.join(argv))
    return ''
  try:
    done = subprocess.run(
      argv, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
  except FileNotFoundError:
    raise UserError(
      'gcloud is not on the PATH; install the Google Cloud CLI'
      ' (https://cloud.google.com/sdk/docs/install), or use --dry_run'
    ) from None
  if done.returncode:
    reason = ' '.join(done.stderr.split())[-300:]
    raise RunFailedError(f'gcloud {kind} {verb} failed: {reason}')
  return done.stdout


def _state(kind: str) -> str:
  """State of the queued resource or of the TPU VM; '' if there is none."""
  try:
    text = _gcloud(kind, 'describe', '--format=json')
  except RunFailedError as error:
    if 'NOT_FOUND' in str(error):
      return ''
    raise
  state = json.loads(text or '{}').get('state', '')
  return state if isinstance(state, str) else state.get('state', '')


def _create() -> None:
  runtime = RUNTIMES[_TYPE.value.partition('-')[0]]
  spot = ['--spot'] if _SPOT.value else []
  _gcloud(
    *('queued-resources', 'create', f'--node-id={_NAME.value}'),
    *(f'--accelerator-type={_TYPE.value}', f'--runtime-version={runtime}'),
    *(*spot, *_GCLOUD.value),
  )


def _bring_up() -> None:
  """Returns once the TPU is ready; requests it if it is missing or lost."""
  requested = False
  while True:
    state, node = _state('queued-resources'), ''
    if state == 'ACTIVE' or _DRY_RUN.value:
      node = _state('tpu-vm')
      if node == 'READY':
        return
      if node not in ('', 'PREEMPTED', 'TERMINATED'):
        raise RunFailedError(f'{_NAME.value}: the TPU is {node}; try later')
    if state in ('', 'ACTIVE', *_LOST):
      if requested:
        raise RunFailedError(f'{_NAME.value}: the request is {state or "gone"}')
      if state or _DRY_RUN.value:
        _gcloud('queued-resources', 'delete', '--force', '--quiet')
      print(f'# {_NAME.value}: {node or state or "absent"}; requesting it')
      _create()
      requested = True
      if _DRY_RUN.value:
        return
    else:
      print(f'# {_NAME.value}: {state}', flush=True)
      time.sleep(_POLL.value)


def _on_all(script: str) -> str:
  return _gcloud(
    *('tpu-vm', 'ssh', '--worker=all', *_SSH.value, f'--command={script}')
  )


def _read_state(output: str) -> str:
  """The state of the training over all workers.

  Args:
    output: lines of _LOOK from all workers, in any order, among others.

  Returns:
    'absent', 'failed' or 'stopped' if that holds on any worker, else 'running'
    if it holds on any, else 'done'.
  """

  def one(line):
    values = dict(word.partition('=')[::2] for word in line.split()[1:])
    if values.get('LoadState') != 'loaded':
      return 'absent'
    if values['ActiveState'] not in ('inactive', 'failed'):
      return 'running'
    if values['ActiveState'] == 'failed':
      return 'failed'
    ended = values['ExecMainExitTimestampMonotonic'] != '0'
    return 'done' if ended and values['ExecMainStatus'] == '0' else 'stopped'

  lines = [ln for ln in output.splitlines() if ln.startswith('service ')]
  states = {one(line) for line in lines} or {'absent'}
  order = ('absent', 'failed', 'stopped', 'running', 'done')
  return next(name for name in order if name in states)


def _install_script(folder: str = _FOLDER) -> str:
  """One line of shell that fetches the revision and runs worker.sh."""
  q = shlex.quote
  train = [f'--config={_CONFIG.value}', f'--workdir={_WORKDIR.value}']
  words = map(q, [_DATA.value, *train, *_MORE.value])
  source = f'{q(_REPOSITORY.value)} {q(_REVISION.value)}'
  return ' && '.join(
    (
      f'sudo install -d -o "$(id -u)" {q(folder)}',
      f'cd {q(folder)}',
      'git init --quiet',
      f'git fetch --quiet --depth=1 {source}',
      'git checkout --quiet --force --detach FETCH_HEAD',
      f'bash launch/tpu/worker.sh {" ".join(words)}',
    )
  )


def _resume(may_restart: bool) -> str:
  """Brings TPU and training up where needed; returns 'running' or 'done'.

  Raises:
    TrainingEndedError: if it ended early on a healthy TPU and `may_restart` is
      false, for a second start would fail as well.
  """
  _bring_up()
  state = _read_state(_on_all(_LOOK))
  print(f'# {_NAME.value}: the training is {state}', flush=True)
  if state in ('running', 'done') and not _DRY_RUN.value:
    return state
  if state in ('failed', 'stopped') and not may_restart:
    raise TrainingEndedError(state)
  _on_all(_install_script())
  return 'running'


def main():
  """Requests, installs, starts; watches."""
  _check_flags()
  failures, first = 0, True
  while True:
    try:
      state, failures = _resume(first), 0
      first = False
    except TrainingEndedError:
      raise
    except RunFailedError as error:
      failures += 1
      if not _WATCH.value or failures > _MAX_FAILURES:
        raise
      logging.warning('%s; trying again', error)
      state = ''
    if state == 'done':
      print(f'{_NAME.value}: done; the TPU costs until it is deleted')
    if state == 'done' or not _WATCH.value or _DRY_RUN.value:
      return
    time.sleep(_POLL.value)


if __name__ == '__main__':
  app.run(main)
