"""Checkpoint and exit on SIGTERM or Ctrl-C, after a whole step.

A preempted machine sends SIGTERM and gives half a minute. A user presses
Ctrl-C, and a second time to exit at once.
"""

import contextlib
import signal
import threading

from absl import logging

from flaxheads.errors import RunPausedError
from flaxheads.training import parallel


class StopRequest(contextlib.AbstractContextManager):
  """Listens to SIGTERM and Ctrl-C while a run is under way.

  In a run of several processes the distributed runtime listens to SIGTERM
  instead, so that all of them stop after the same step.
  """

  def __init__(self):
    self._signal = None
    self._before = {}

  def __enter__(self):
    in_main = threading.current_thread() is threading.main_thread()
    if in_main and parallel.num_processes() == 1:
      for number in (signal.SIGINT, signal.SIGTERM):
        self._before[number] = signal.signal(number, self._note)
    return self

  def __exit__(self, *_):
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def _note(self, number, frame):
    del frame
    if self._signal == number == signal.SIGINT:
      raise KeyboardInterrupt
    self._signal = number
    if number == signal.SIGINT:
      logging.warning('saving after this step; Ctrl-C again stops at once')

  def requested(self, step: int) -> bool:
    """Whether to end after `step`; all processes call it after every step."""
    return bool(parallel.reached_preemption(step) or self._signal)

  def pause(self, step: int) -> RunPausedError:
    """What to raise once the state of `step` is saved."""
    return RunPausedError(
      f'stopped after step {step} and saved; the same command resumes',
      by_user=self._signal == signal.SIGINT,
    )
