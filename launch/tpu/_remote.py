r"""Lines of shell for the workers: install, start, look, stop.

Training is a service of systemd, which every TPU VM image has: it survives
the end of the ssh connection and a restart of the host, is started again
after a failure, and its log is in the journal. Each line is a single one, so
that --dry_run can print it.
"""

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from launch import app

DIRECTORY = '/opt/flaxheads'  # the same path for whoever logs in
SERVICE = 'flaxheads.service'

# The images have Python 3.10. uv brings a newer one, and needs only curl.
UV = '0.13.8'
_PYTHON = '3.12'
# gcsfs reads and writes gs:// for Orbax and tensorboardX.
_PACKAGES = ("'jax[tpu]'", 'gcsfs')


class Training(NamedTuple):
  """The command that is run on every host."""

  config: str
  workdir: str
  train_flags: Sequence[str] = ()

  def command(self, python: str) -> list[str]:
    """Its words."""
    return [
      *(python, '-m', 'launch.train', f'--config={self.config}'),
      *(f'--workdir={self.workdir}', '--distributed', *self.train_flags),
    ]


def install(
  repository: str, revision: str, data: str = '', directory: str = DIRECTORY
) -> str:
  """Fetches one revision and what it needs; a second time changes nothing.

  Args:
    repository: its https address.
    revision: a branch, a tag or a whole commit.
    data: folder in Cloud Storage to copy to `data_dir`, for records are read
      from disks; '' for none.
    directory: where to.

  Returns:
    A line of shell.
  """
  uv = f'https://astral.sh/uv/{UV}/install.sh'
  q = shlex.quote
  copy = (
    ('mkdir -p data_dir',)
    + (f'gcloud storage rsync --recursive --quiet {q(data)} data_dir',)
    if data
    else ()
  )
  return ' && '.join(
    (
      f'sudo install -d -o "$(id -u)" {q(directory)}',
      f'cd {q(directory)}',
      'git init --quiet',
      f'git fetch --quiet --depth=1 {q(repository)} {q(revision)}',
      'git checkout --quiet --force --detach FETCH_HEAD',
      f'{{ test -x .uv/uv || curl -LsSf {uv} |'
      f' env UV_UNMANAGED_INSTALL={q(directory)}/.uv sh >/dev/null; }}',
      '{ test -x .venv/bin/python ||'
      f' .uv/uv venv --quiet --python={_PYTHON} .venv; }}',
      '.uv/uv pip install --quiet --python=.venv/bin/python'
      f' --requirement=requirements.txt {" ".join(_PACKAGES)}',
      *copy,
      "echo installed $(git log -1 --format='%h %s')",
    )
  )


def _unit_word(word: str) -> str:
  """A word of ExecStart=, quoted as systemd.service(5) and .syntax(7) ask."""
  for character in '\\"':
    word = word.replace(character, '\\' + character)
  return f'"{word}"'.replace('%', '%%').replace('$', '$$')


def _unit(training, directory):
  command = training.command(f'{directory}/.venv/bin/python')
  return (
    '[Unit]',
    'Description=flaxheads training',
    'Wants=network-online.target',
    'After=network-online.target',
    # What fails again and again is not started for ever.
    'StartLimitIntervalSec=1h',
    'StartLimitBurst=5',
    '[Service]',
    f'WorkingDirectory={directory}',
    'Environment=PYTHONUNBUFFERED=1',
    f'ExecStart={" ".join(map(_unit_word, command))}',
    # Only the process that saves is told to stop; time for the checkpoint.
    'KillMode=mixed',
    'TimeoutStopSec=300',
    # When one host is lost, the others fail too, and all meet again.
    'Restart=on-failure',
    'RestartSec=30',
    f'RestartPreventExitStatus={app.ASKED_WRONGLY}',
    f'RestartForceExitStatus={app.GO_ON_LATER}',
    f'SuccessExitStatus={app.GO_ON_LATER}',
    '[Install]',
    'WantedBy=multi-user.target',
  )


def start(training: Training, directory: str = DIRECTORY) -> str:
  """Writes the service and starts it; one that runs is started anew."""
  lines = [shlex.quote(line) for line in _unit(training, directory)]
  lines.insert(lines.index("'[Service]'") + 1, '"User=$(id -un)"')
  write = f"printf '%s\\n' {' '.join(lines)}"
  return ' && '.join(
    (
      f'{write} | sudo tee /etc/systemd/system/{SERVICE} >/dev/null',
      'sudo systemctl daemon-reload',
      f'sudo systemctl enable --quiet {SERVICE}',
      # Only what has failed too often has anything to reset.
      f'{{ sudo systemctl reset-failed {SERVICE} 2>/dev/null || true; }}',
      f'sudo systemctl restart {SERVICE}',
    )
  )


def stop() -> str:
  """Stops the training, which saves, also across restarts of the host."""
  return f'sudo systemctl disable --quiet --now {SERVICE}'


def log(lines: int, follow: bool) -> str:
  """The newest lines of the log, and what comes."""
  follows = ' --follow' if follow else ''
  return (
    f'sudo journalctl --unit={SERVICE} --output=cat --lines={lines}{follows}'
  )


_PROPERTIES = (
  'LoadState',
  'ActiveState',
  'Result',
  'ExecMainStatus',
  'ExecMainExitTimestampMonotonic',
)


def look() -> str:
  """Prints one line about the service, for `state` to read."""
  show = f'systemctl show {SERVICE} --property={",".join(_PROPERTIES)}'
  return f'echo service $({show})'


def _state_of_one(line):
  values = dict(word.partition('=')[::2] for word in line.split()[1:])
  if values.get('LoadState') != 'loaded':
    return 'absent'
  if values['ActiveState'] not in ('inactive', 'failed'):
    return 'running'
  if values['ActiveState'] == 'failed' or values['Result'] != 'success':
    return 'failed'
  has_ended = values['ExecMainExitTimestampMonotonic'] != '0'
  return 'done' if has_ended and values['ExecMainStatus'] == '0' else 'stopped'


def state(output: str, hosts: int) -> str:
  """What the answers of all hosts to `look` mean.

  Args:
    output: lines of all hosts, in any order, and perhaps others.
    hosts: how many should have answered.

  Returns:
    'absent', 'stopped' or 'failed' if that is so on any host, else 'running'
    if on any, else 'done'; 'unknown' unless all have answered.
  """
  lines = [ln for ln in output.splitlines() if ln.startswith('service ')]
  if len(lines) != hosts:
    return 'unknown'
  states = {_state_of_one(line) for line in lines}
  order = ('absent', 'failed', 'stopped', 'running', 'done')
  return next(name for name in order if name in states)
