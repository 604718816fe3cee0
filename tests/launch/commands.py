"""Runs the commands of launch/ as a user does, in this process or its own."""

import contextlib
import io
import json
import os
import pathlib
import runpy
import socket
import subprocess
import sys
from typing import NamedTuple

from absl import flags, logging

from launch import app

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Python that hears Ctrl-C: a shell lets background jobs ignore it, and whatever
# they start inherits that.
_HEAR = (
  'import os, signal, sys\n'
  'signal.signal(signal.SIGINT, signal.SIG_DFL)\n'
  'os.execv(sys.argv[1], sys.argv[1:])'
)
PYTHON = (sys.executable, '-c', _HEAR, sys.executable)


class Done(NamedTuple):
  """What a command left on the terminal, and its exit code."""

  code: int
  out: str
  err: str


def free_port() -> int:
  """A port of this machine that nobody listens at."""
  with socket.socket() as probe:
    probe.bind(('127.0.0.1', 0))
    return probe.getsockname()[1]


def call(name, *arguments) -> Done:
  """Runs `python -m launch.NAME ARGUMENTS` within this process.

  Its flags are forgotten afterwards, so that the next command can define its
  own. Messages of C++ code are not seen here; `start` sees them.
  """
  known = set(flags.FLAGS)
  argv = sys.argv
  sys.argv = [name, *map(str, arguments)]
  out, err = io.StringIO(), io.StringIO()
  code = None
  try:
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
      runpy.run_module(f'launch.{name}', run_name='__main__', alter_sys=True)
  except SystemExit as error:
    code = error.code or 0
  finally:
    # Those of libraries stay: they are defined but once.
    ours = (sys.argv[0], str(ROOT), 'launch', 'ml_collections')
    owners = set()
    for flag in set(flags.FLAGS) - known:
      owner = flags.FLAGS.find_module_defining_flag(flag)
      if '.' in flag or owner.startswith(ours):
        delattr(flags.FLAGS, flag)
        owners.add(owner)
    # Modules that define a command's flags define them once more.
    for module in owners:
      if module.startswith('launch._') and sys.modules.pop(module, None):
        delattr(sys.modules['launch'], module.removeprefix('launch.'))
    sys.argv = argv
    flags.FLAGS.unparse_flags()
    app._positional = None
    flags.FLAGS.mark_as_parsed()
    logging.set_verbosity(logging.WARNING)
    flags.FLAGS['verbosity'].present = 0
  return Done(code, out.getvalue(), err.getvalue())


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
  out, err = process.communicate(timeout=900)
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
