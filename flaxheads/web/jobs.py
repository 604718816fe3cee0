"""A queue of jobs, run one at a time, with progress and cancellation."""

import collections
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from absl import logging

from flaxheads.errors import UserError

_PATIENCE = 60.0  # seconds, for the end of a job at the end of the page


class CancelledError(Exception):
  """The job was cancelled."""


class Job:
  """One job of a visitor.

  Attributes:
    label: what is being done, for people.
    done: steps done.
    total: steps to do; 0 where that is not known.
    ahead: jobs that run before this one.
  """

  def __init__(
    self,
    label: str,
    work: Callable[['Job'], Any],
    then: Callable[[Any, str], None],
    on_change: Callable[[], None],
  ):
    """Describes the job.

    Args:
      label: as above.
      work: runs in the queue's thread, and calls `tell` often.
      then: called with the result and '', or with None and an error message.
        Not called if the job was cancelled.
      on_change: called after every change of progress.
    """
    self.label, self.done, self.total, self.ahead = label, 0, 0, 0
    self._work, self._then, self._on_change = work, then, on_change
    self._cancelled = threading.Event()
    self._deadline, self._max_minutes = float('inf'), 0.0

  def cancel(self) -> None:
    """Ends the job at its next call of `tell`, or before it starts."""
    self._cancelled.set()

  @property
  def cancelled(self) -> bool:
    return self._cancelled.is_set()

  def tell(self, label: str, done: int = 0, total: int = 0) -> None:
    """Reports progress.

    Raises:
      CancelledError: the job was cancelled.
      UserError: it takes too long.
    """
    if self.cancelled:
      raise CancelledError
    if time.monotonic() > self._deadline:
      raise UserError(
        f'this took longer than the {self._max_minutes:g} minutes that the'
        ' page allows; give fewer pictures or a shorter driver'
      )
    self.label, self.done, self.total = label, done, total
    self._on_change()

  def count(self, items: Iterable, label: str, total: int) -> Iterator:
    """Passes on items and reports each."""
    for done, item in enumerate(items):
      self.tell(label, done, total)
      yield item

  def run(self, max_minutes: float) -> None:
    """Runs the job; errors become messages."""
    self._max_minutes = max_minutes
    self._deadline = time.monotonic() + 60 * max_minutes
    result, wrong = None, ''
    try:
      self.tell(self.label)
      result = self._work(self)
    except CancelledError:
      return
    except UserError as error:
      wrong = str(error)
    except Exception:
      if self.cancelled:  # its files are gone
        return
      logging.error('%s: %s', self.label, traceback.format_exc())
      wrong = 'this failed because of an error in flaxheads; see its terminal'
    if not self.cancelled:
      self._then(result, wrong)

  def moved_up(self, ahead: int) -> None:
    """Called when the number of jobs before this one has changed."""
    if ahead != self.ahead:
      self.ahead = ahead
      self._on_change()


class Queue:
  """Runs jobs in one thread, in the order in which they came."""

  def __init__(self, max_waiting: int, max_minutes: float):
    """Starts the thread.

    Args:
      max_waiting: jobs that wait; further ones are refused.
      max_minutes: duration of one job.
    """
    self._max_waiting, self._max_minutes = max_waiting, max_minutes
    self._jobs: collections.deque[Job] = collections.deque()
    self._changed = threading.Condition()
    self._running: Job | None = None
    self._closed = False
    self._thread = threading.Thread(target=self._run, daemon=True, name='jobs')
    self._thread.start()

  def close(self) -> None:
    """Cancels all jobs, and waits for the one that runs.

    Python must not exit while a thread is in XLA: it would abort.
    """
    with self._changed:
      self._closed = True
      for job in (*self._jobs, *filter(None, [self._running])):
        job.cancel()
      self._changed.notify()
    self._thread.join(_PATIENCE)

  def submit(self, job: Job) -> None:
    """Adds a job.

    Raises:
      UserError: too many jobs wait.
    """
    with self._changed:
      waiting = [job for job in self._jobs if not job.cancelled]
      if len(waiting) >= self._max_waiting:
        raise UserError(
          f'{len(waiting)} jobs are waiting already; try again in a minute'
        )
      job.ahead = len(waiting) + (self._running is not None)
      self._jobs.append(job)
      self._changed.notify()

  def _run(self):
    while True:
      with self._changed:
        self._changed.wait_for(lambda: self._jobs or self._closed)
        if self._closed:
          return
        self._running = self._jobs.popleft()
      self._running.moved_up(0)
      self._running.run(self._max_minutes)
      with self._changed:
        self._running = None
        waiting = [job for job in self._jobs if not job.cancelled]
      for place, job in enumerate(waiting):
        job.moved_up(place)
      job = waiting = None  # nothing of a visitor is kept until the next job
