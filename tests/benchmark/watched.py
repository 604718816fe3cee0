"""A command as a user starts it, with the processor time of its parts.

`start` runs `python -m MODULE ARGS` in a process that appends to a log what JAX
traces, lowers and compiles, and when the first frame of a video is there.
Times are CPU-seconds since the start of that process, user and system, so that
other processes on the machine hardly matter. A thread notes the clock and the
processor time side by side: JAX tells the begin of a span by the clock.
"""

import bisect
import collections
import json
import os
import runpy
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

PARTS = {
  'jaxpr_trace_duration': 'trace',
  'jaxpr_to_mlir_module_duration': 'lower',
  'backend_compile_duration': 'compile',  # or loading from the cache
}
FIRST_FRAME = 'first frame'
_INTERVAL = 0.01  # seconds
_KEPT = 100_000  # notes of both times


class Span(NamedTuple):
  """Work on a program: `trace`, `lower` or `compile`; CPU-seconds."""

  part: str
  program: str
  began: float
  ended: float


class Watched(NamedTuple):
  """What a command took.

  Attributes:
    cpu_seconds: of the process and those that it started.
    first_frame: CPU-seconds until the first frame of a video; None: none.
    spans: of all programs.
  """

  cpu_seconds: float
  first_frame: float | None
  spans: list[Span]

  def compilation(self, until: float = float('inf')) -> float:
    """CPU-seconds up to `until` in which anything was traced or compiled."""
    total, reached = 0.0, 0.0
    for span in sorted(self.spans, key=lambda span: span.began):
      end = min(span.ended, until)
      total += max(end - max(span.began, reached), 0.0)
      reached = max(reached, end)
    return total

  def by_program(self) -> dict[str, dict[str, float]]:
    """CPU-seconds of each part of each program, the costliest first.

    What is traced within another trace counts for the outermost.
    """
    found = collections.defaultdict(lambda: dict.fromkeys(PARTS.values(), 0.0))
    reached = 0.0
    for span in sorted(self.spans, key=lambda s: (s.began, -s.ended)):
      if span.part == 'trace' and span.ended <= reached:
        continue
      if span.part == 'trace':
        reached = span.ended
      found[span.program][span.part] += span.ended - span.began
    order = sorted(found, key=lambda name: -sum(found[name].values()))
    return {name: found[name] for name in order}


def start(
  log: Path, module: str, *arguments: str, **environment: str
) -> subprocess.Popen:
  """Starts a command; `finish` waits for it.

  Args:
    log: a file that is made.
    module: say launch.animate.
    *arguments: of the command.
    **environment: beside that of this process.
  """
  return subprocess.Popen(
    [sys.executable, '-m', __name__, str(log), module, *map(str, arguments)],
    env=os.environ | environment,
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=open(f'{log}.stderr', 'wb'),
    text=True,
  )


def finish(child: subprocess.Popen, log: Path) -> Watched:
  """Waits for a command of `start`.

  Raises:
    RuntimeError: it failed.
  """
  child.stdout.read()
  _, status, usage = os.wait4(child.pid, 0)
  child.returncode = os.waitstatus_to_exitcode(status)
  child.stdout.close()
  if child.returncode:
    said = Path(f'{log}.stderr').read_text(errors='replace')
    raise RuntimeError(f'{child.args[4]} failed: {said[-500:]}')
  return Watched(usage.ru_utime + usage.ru_stime, *read(log))


def read(log: Path) -> tuple[float | None, list[Span]]:
  """The CPU-seconds until the first frame, and the spans, of a log."""
  frame, spans = None, []
  for line in log.read_text().splitlines():
    entry = json.loads(line)
    if entry[0] == FIRST_FRAME:
      frame = entry[1] if frame is None else frame
    else:
      spans.append(Span(*entry))
  return frame, spans


def used(process: int) -> float:
  """CPU-seconds of a living process so far, as Linux tells them."""
  fields = Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()
  return sum(map(int, fields[11:13])) / os.sysconf('SC_CLK_TCK')


class _Log:
  """Writes what happens in this process to a file, a line at a time."""

  def __init__(self, path: str):
    self._file = open(path, 'a', buffering=1)
    self._clock = collections.deque([time.time()], _KEPT)
    self._cpu = collections.deque([time.process_time()], _KEPT)
    threading.Thread(target=self._note, daemon=True).start()

  def _note(self):
    while True:
      time.sleep(_INTERVAL)
      self._cpu.append(time.process_time())
      self._clock.append(time.time())

  def _write(self, *entry):
    self._file.write(json.dumps(entry) + '\n')

  def span(self, event: str, began: float, ended: float, **about) -> None:
    """A listener of jax.monitoring; it is called at the end of a span."""
    del ended
    if part := PARTS.get(event.rpartition('/')[2]):
      clock = list(self._clock)
      place = max(bisect.bisect(clock, began) - 1, 0)
      name = str(about.get('fun_name')).removeprefix('jit(').removesuffix(')')
      self._write(part, name, self._cpu[place], time.process_time())

  def frames(self, frames):
    """Passes frames on; notes when the first is there."""
    for number, frame in enumerate(frames):
      if not number:
        self._write(FIRST_FRAME, time.process_time())
      yield frame


def main() -> None:
  """Runs a module as __main__: LOG MODULE ARGS."""
  path, module, *arguments = sys.argv[1:]
  import launch  # before JAX, as the commands do

  del launch
  import jax

  from launch import _logs

  log, progress_bar = _Log(path), _logs.progress_bar
  jax.monitoring.register_event_time_span_listener(log.span)

  def watched_bar(*args, **kwargs):
    bar = progress_bar(*args, **kwargs)
    return log.frames(bar) if kwargs.get('unit') == ' frames' else bar

  _logs.progress_bar = watched_bar
  sys.argv = [module, *arguments]
  runpy.run_module(module, run_name='__main__', alter_sys=True)


if __name__ == '__main__':
  main()
