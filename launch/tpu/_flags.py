"""Flags that several commands share, and what is made of them.

Each function defines flags for the command that calls it, and returns a
function that checks them after parsing.
"""

import pathlib
import re
import subprocess
from collections.abc import Callable
from typing import NamedTuple

from absl import flags

from flaxheads.errors import UserError, check_range
from launch import app
from launch.tpu import _remote, _types
from launch.tpu._gcloud import Request, Tpu

flags.disclaim_key_flags()  # --help of a command lists them as its own

_ROOT = pathlib.Path(__file__).resolve().parents[2]
# Of queued resources and nodes, and of Kubernetes objects.
_NAME = re.compile('[a-z]([-a-z0-9]{0,38}[a-z0-9])?')


def name_flag() -> Callable[[], str]:
  """--name."""
  name = flags.DEFINE_string('name', None, 'Of the TPU; you choose it.')

  def checked():
    app.check_given(name)
    if not _NAME.fullmatch(name.value):
      raise UserError(
        f'--name: {name.value!r} is not a name; at most 40 lower-case letters,'
        ' digits and hyphens are, and a letter comes first'
      )
    return name.value

  return checked


def tpu_flags(may_be_unqueued: bool = False) -> Callable[[], Tpu]:
  """--name, --zone, --project, --ssh_flag, --dry_run, perhaps --queued."""
  name = name_flag()
  zone = flags.DEFINE_string('zone', None, 'Of the TPU, say us-west4-a.')
  project = flags.DEFINE_string(
    'project', '', "The Google Cloud project; default: gcloud's own."
  )
  ssh = flags.DEFINE_multi_string(
    'ssh_flag', [], 'For gcloud compute tpus tpu-vm ssh: --internal-ip.'
  )
  dry_run = flags.DEFINE_bool(
    'dry_run', False, 'Print the commands of gcloud, and run none.'
  )
  queued = None
  if may_be_unqueued:
    queued = flags.DEFINE_bool(
      'queued', True, 'A queued resource; --noqueued: a TPU VM at once.'
    )

  def checked():
    checked_name = name()
    app.check_given(zone)
    _check_flags(ssh)
    return Tpu(
      name=checked_name,
      zone=zone.value,
      project=project.value,
      queued=queued is None or queued.value,
      dry_run=dry_run.value,
      ssh_flags=ssh.value,
    )

  return checked


def request_flags() -> Callable[[], Request]:
  """--accelerator_type, --runtime_version, --spot, --create_flag."""
  kind = flags.DEFINE_string(
    'accelerator_type', None, 'As gcloud names it, say v5litepod-8.'
  )
  runtime = flags.DEFINE_string(
    'runtime_version', '', "Image of the TPU VM; default: the type's own."
  )
  spot = flags.DEFINE_bool('spot', True, 'Cheaper, and may be preempted.')
  more = flags.DEFINE_multi_string(
    'create_flag', [], "For gcloud's create, say --internal-ips."
  )

  def checked():
    app.check_given(kind)
    default = _types.for_cloud_tpu(kind.value).runtime_version
    _check_flags(more)
    version = runtime.value or default
    return Request(kind.value, version, spot.value, more.value)

  return checked


class Patience(NamedTuple):
  """How long to wait, and how often to ask."""

  hours: float
  poll_seconds: float


def patience_flags() -> Callable[[], Patience]:
  """--wait_hours and --poll_seconds."""
  hours = flags.DEFINE_float('wait_hours', 12.0, 'Wait so long for a TPU.')
  poll = flags.DEFINE_float(
    'poll_seconds', 20.0, 'First pause between two looks; it grows to 16 times.'
  )

  def checked():
    check_range('--wait_hours', hours.value, low=0)
    check_range('--poll_seconds', poll.value, low=0)
    return Patience(hours.value, poll.value)

  return checked


def _git(*words):
  try:
    done = subprocess.run(
      ('git', '-C', str(_ROOT), *words), capture_output=True, text=True
    )
  except FileNotFoundError:
    return ''
  return '' if done.returncode else done.stdout.strip()


def code_flags() -> Callable[[], str]:
  """--repository, --revision, --data; gives the line of shell to install."""
  repository = flags.DEFINE_string(
    'repository', '', "Its https address; default: this clone's origin."
  )
  revision = flags.DEFINE_string(
    'revision', '', "Branch, tag or commit, pushed; default: this clone's."
  )
  data = flags.DEFINE_string(
    'data', '', 'Folder in Cloud Storage to copy to data_dir on the workers.'
  )

  def checked():
    if data.value and not data.value.startswith('gs://'):
      raise UserError(f'--data: {data.value} is not in Cloud Storage, gs://...')
    address = repository.value or _git('remote', 'get-url', 'origin')
    if not address.startswith('https://'):
      found = f'{address!r} is no https:// address' if address else 'is missing'
      raise UserError(
        f'--repository: {found}; the workers fetch it without a key of yours'
      )
    commit = revision.value or _git('rev-parse', 'HEAD')
    if not commit:
      raise UserError('--revision is missing: a branch, tag or whole commit')
    return _remote.install(address, commit, data.value)

  return checked


def training_flags() -> Callable[[], _remote.Training]:
  """--config, --workdir and --train_flag."""
  config = flags.DEFINE_string('config', None, 'A file in configs/.')
  workdir = flags.DEFINE_string(
    'workdir', None, 'Folder of the run in Cloud Storage, gs://BUCKET/...'
  )
  more = flags.DEFINE_multi_string(
    'train_flag', [], 'For launch.train, say --config.data.data_dir=data_dir'
  )

  def checked():
    app.check_given(config, workdir)
    path = pathlib.PurePosixPath(config.value)
    if path.is_absolute() or not (_ROOT / path).is_file():
      raise UserError(
        f'--config: {config.value} is no file of this clone; name one as'
        ' configs/NAME.py'
      )
    if not workdir.value.startswith('gs://'):
      raise UserError(
        f'--workdir: {workdir.value} would go with the TPU; name a folder in'
        ' Cloud Storage, gs://BUCKET/...'
      )
    _check_flags(more)
    return _remote.Training(config.value, workdir.value, more.value)

  return checked


def _check_flags(holder):
  for flag in holder.value:
    if not flag.startswith('-') or not flag.isprintable():
      raise UserError(
        f'--{holder.name}: {flag!r} is not a flag; write'
        f' --{holder.name}=--name=value'
      )
