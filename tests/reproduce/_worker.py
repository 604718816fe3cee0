"""A process that runs commands one after another, watched from outside.

To start a process and import JAX takes seconds; here a command takes what it
takes. Its time and its memory are limited all the same: a process that hangs
is killed, and the next command gets a new one.
"""

import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import NamedTuple

from tests.benchmark import resident

HANGS, DIED = -1, -2  # in place of an exit code
_FULL = 2 << 30  # bytes


class Ran(NamedTuple):
  """How a command ended: its exit code, HANGS or DIED, and what it took.

  `said` is what it wrote to stderr, with a traceback where one escaped; `peak`
  is the largest resident memory of the process, in bytes.
  """

  code: int
  said: str
  seconds: float
  peak: int


class Worker:
  """Runs commands in a child process; use as a context manager."""

  def __init__(self, max_seconds: float, max_bytes: int):
    """Args: limits for one command, of time and of address space."""
    self._max_seconds, self._max_bytes = max_seconds, max_bytes
    self._child = None

  def __enter__(self) -> 'Worker':
    return self

  def __exit__(self, *exception) -> None:
    self._end()

  def _start(self) -> None:
    self._log = tempfile.TemporaryFile()
    self._child = subprocess.Popen(
      [sys.executable, '-m', __name__, str(self._max_bytes)],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=self._log,
      text=True,
      start_new_session=True,
    )
    self._child.stdout.readline()  # it has imported what is slow

  def _end(self) -> int:
    if self._child is None:
      return 0
    child, self._child = self._child, None
    try:
      os.killpg(child.pid, signal.SIGKILL)  # with the workers it has made
    except ProcessLookupError:
      pass
    child.stdin.close()
    child.stdout.close()
    return child.wait()

  def call(self, command, interrupt_after: float | None = None) -> Ran:
    """Runs a command.

    Args:
      command: its name and arguments.
      interrupt_after: seconds until Ctrl-C.
    """
    if self._child is None:
      self._start()
    child = self._child
    child.stdin.write(json.dumps([str(part) for part in command]) + '\n')
    child.stdin.flush()
    timer = None
    if interrupt_after is not None:
      timer = threading.Timer(interrupt_after, child.send_signal, [2])
      timer.start()
    ready, _, _ = select.select([child.stdout], [], [], self._max_seconds)
    if timer:
      timer.cancel()
      timer.join()
    if not ready:
      self._end()
      return Ran(HANGS, 'hangs', self._max_seconds, 0)
    line = child.stdout.readline()
    if not line:
      return Ran(DIED, f'the process died ({self._end()})', 0, 0)
    ran = Ran(*json.loads(line))
    # Full of compiled programs, or of modules that are half imported.
    if ran.peak > _FULL or interrupt_after is not None:
      self._end()
    return ran


def _run(command) -> Ran:
  import time

  from launch import _interrupts
  from tests.launch import commands

  Path('/proc/self/clear_refs').write_text('5')  # the peak begins anew
  sys.excepthook, sys.unraisablehook = (
    sys.__excepthook__,
    sys.__unraisablehook__,
  )
  began = time.monotonic()
  try:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _interrupts.install()
    done = commands.call(*command)
    code, said = done.code, done.err
  except BaseException:
    code, said = 1, traceback.format_exc()
  finally:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
  return Ran(code, said, time.monotonic() - began, resident.peak())


def _serve(max_bytes: int) -> None:
  answers = os.fdopen(os.dup(1), 'w')
  os.dup2(2, 1)  # what libraries print is no answer
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
  resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  import flaxheads.fewshot  # noqa: F401

  print('ready', file=answers, flush=True)
  commands = os.fdopen(os.dup(0))
  os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # nobody can be asked
  sys.stdin = open(os.devnull)
  for line in commands:
    print(json.dumps(_run(json.loads(line))), file=answers, flush=True)


if __name__ == '__main__':
  _serve(int(sys.argv[1]))
