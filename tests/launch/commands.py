"""Runs the commands of launch/ as a user does, in this process or its own."""

import json
import os
import pathlib
import subprocess
import sys

from launch.proofs._in_process import Done, call

ROOT = pathlib.Path(__file__).resolve().parents[2]


# Python that hears Ctrl-C: a shell lets background jobs ignore it, and whatever
# they start inherits that.
_HEAR = (
  'import os, signal, sys\n'
  'signal.signal(signal.SIGINT, signal.SIG_DFL)\n'
  'os.execv(sys.argv[1], sys.argv[1:])'
)
PYTHON = (sys.executable, '-c', _HEAR, sys.executable)


def call_all(*commands) -> tuple[list[Done], str]:
  """`call` for each (name, *arguments), in one new process.

  Unlike this one, that process has a single device. Also returns its stderr:
  the log, which absl keeps writing there.
  """
  given = json.dumps([[str(part) for part in command] for command in commands])
  process = subprocess.run(
    [sys.executable, '-m', 'tests.launch.commands', given],
    stdin=subprocess.DEVNULL,
    capture_output=True,
    text=True,
    cwd=ROOT,
  )
  assert process.returncode == 0, process.stderr
  return [Done(*done) for done in json.loads(process.stdout)], process.stderr


def start(name, *arguments, **environment) -> subprocess.Popen:
  """Starts `python -m launch.NAME ARGUMENTS` as a process."""
  return subprocess.Popen(
    [*PYTHON, '-m', f'launch.{name}', *map(str, arguments)],
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    cwd=ROOT,
    env={**os.environ, **environment},
  )


def finish(process) -> Done:
  """Waits for a process of `start`."""
  out, err = process.communicate(timeout=300)
  return Done(process.returncode, out, err)


def files_below(folder) -> dict[str, bytes]:
  """Contents of all files below a folder, hidden and temporary ones too."""
  folder = pathlib.Path(folder)
  return {
    str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b''
    for path in sorted(folder.rglob('*'))
  }


if __name__ == '__main__':
  print(json.dumps([call(*command) for command in json.loads(sys.argv[1])]))
