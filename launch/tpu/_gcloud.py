"""The commands of gcloud that are used, and how their failures are told."""

import dataclasses
import json
import shlex
import shutil
import subprocess
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from flaxheads.errors import RunFailedError, UserError

_TPUS = ('gcloud', 'compute', 'tpus')


class Request(NamedTuple):
  """What is asked of Google."""

  accelerator_type: str
  runtime_version: str
  spot: bool
  create_flags: Sequence[str] = ()


def _essence(stderr: str) -> str:
  """What of an error output says most, in one line."""
  lines = [line.strip() for line in stderr.splitlines() if line.strip()]
  for mark in ('ERROR:', 'error:', 'fatal:', '#####'):
    for index in reversed(range(len(lines))):
      if lines[index].startswith(mark):
        # Errors of gcloud itself go on below, at times as JSON.
        end = None if mark == 'ERROR:' else index + 1
        said = ' '.join(lines[index:end]).strip('# ')
        return textwrap.shorten(said, 300, placeholder=' ...')
  return lines[-1] if lines else 'no message'


class GcloudError(RunFailedError):
  """gcloud ended with a failure.

  Attributes:
    stderr: all that it said.
  """

  def __init__(self, argv: Sequence[str], code: int, stderr: str):
    words = [word for word in argv[1:6] if not word.startswith('-')]
    command = ' '.join(('gcloud', *words))
    super().__init__(f'{command} failed ({code}): {_essence(stderr)}')
    self.stderr = stderr


@dataclasses.dataclass(frozen=True)
class Tpu:
  """A TPU VM of one or more hosts, or a queued resource with one of it.

  A queued resource and its node have the same name. With `dry_run`, commands
  are printed and not run, and what they would answer is None or ''.
  """

  name: str
  zone: str
  project: str = ''
  queued: bool = True
  dry_run: bool = False
  ssh_flags: Sequence[str] = ()

  def create(self, request: Request) -> None:
    """Asks for the TPU; a queued one comes later."""
    kind, node, version = self._kind(), [], '--version'
    if self.queued:
      node, version = [f'--node-id={self.name}'], '--runtime-version'
    self._run(
      (*_TPUS, kind, 'create', self.name, *node, *self._where())
      + (f'--accelerator-type={request.accelerator_type}',)
      + (f'{version}={request.runtime_version}',)
      + (('--spot',) if request.spot else ())
      + tuple(request.create_flags)
    )

  def delete(self) -> None:
    """Deletes the TPU, and the request for it."""
    force = ('--force',) if self.queued else ()  # the node too
    self._run(
      (*_TPUS, self._kind(), 'delete', self.name, *self._where())
      + (*force, '--quiet')
    )

  def describe_request(self) -> dict | None:
    """The queued resource; None if there is none."""
    return self._describe('queued-resources')

  def describe_node(self) -> dict | None:
    """The TPU VM; None if there is none."""
    return self._describe('tpu-vm')

  def ssh(self, script: str, worker: str = 'all') -> str:
    """Runs a line of shell on workers; their output, in any order."""
    return self._run(self._ssh(script, worker))

  def show(self, script: str, worker: str) -> None:
    """As `ssh`, with the output going to the terminal as it comes."""
    argv = self._ssh(script, worker)
    if not self._only_prints(argv):
      code = subprocess.run(argv).returncode
      if code:
        raise GcloudError(argv, code, 'see above')

  def _ssh(self, script, worker):
    return (
      (*_TPUS, 'tpu-vm', 'ssh', self.name, *self._where())
      + (f'--worker={worker}', *self.ssh_flags, f'--command={script}')
    )  # fmt: skip

  def _describe(self, kind):
    argv = (*_TPUS, kind, 'describe', self.name, *self._where())
    try:
      text = self._run((*argv, '--format=json'))
    except GcloudError as error:
      if 'NOT_FOUND' in error.stderr:
        return None
      raise
    return json.loads(text) if text else None

  def _kind(self):
    return 'queued-resources' if self.queued else 'tpu-vm'

  def _where(self):
    project = (f'--project={self.project}',) if self.project else ()
    return (f'--zone={self.zone}', *project)

  def _only_prints(self, argv):
    if self.dry_run:
      print(shlex.join(argv))
    elif shutil.which('gcloud') is None:
      raise UserError(
        'gcloud is not on the PATH; install the Google Cloud CLI'
        ' (https://cloud.google.com/sdk/docs/install), or see the commands'
        ' with --dry_run'
      )
    return self.dry_run

  def _run(self, argv) -> str:
    if self._only_prints(argv):
      return ''
    # Without stdin gcloud asks no questions.
    done = subprocess.run(
      argv, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
      raise GcloudError(argv, done.returncode, done.stderr)
    return done.stdout
