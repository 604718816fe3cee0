"""A loader that waits for orders, so that several can be timed in turns.

Runs under any Python: PyTorch has an environment of its own.
"""

import json
import os
import sys
import time
from pathlib import Path


def _cpu_seconds(process: int) -> float:
  """Spent so far by a process and all that it has started (Linux)."""
  folder = Path(f'/proc/{process}')
  fields = (folder / 'stat').read_text().rpartition(')')[2].split()
  spent = (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
  for task in (folder / 'task').iterdir():
    for child in (task / 'children').read_text().split():
      spent += _cpu_seconds(int(child))
  return spent


def pin(core: int) -> None:
  """Keeps this process, and all that it will start, on one core."""
  os.sched_setaffinity(0, {core})


def serve(batches, facts: dict, warm_up: int) -> None:
  """Says what it is, then times as many batches as each line of stdin asks.

  Args:
    batches: endless iterator.
    facts: printed first, as JSON.
    warm_up: batches to read before each timing: more than lie in buffers.
  """
  print(json.dumps(facts), flush=True)
  for line in sys.stdin:
    for _ in range(warm_up):
      next(batches)
    spent, began = _cpu_seconds(os.getpid()), time.perf_counter()
    for _ in range(int(line)):
      next(batches)
    seconds = time.perf_counter() - began
    spent = _cpu_seconds(os.getpid()) - spent
    print(json.dumps({'wall': seconds, 'cpu': spent}), flush=True)
