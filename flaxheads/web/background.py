"""Long work in a thread, which reports progress and can be abandoned."""

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from flaxheads.errors import UserError

_PATIENCE = 0.5  # seconds between checks of the clock


class _Left(Exception):
  """The visitor has left."""


def run_in_background(
  work: Callable[[Callable[[Any], None]], Any], max_seconds: float
) -> Generator[Any, None, Any]:
  """Runs work in a thread of its own and yields its progress.

  Args:
    work: takes `tell`, to be called with progress. It raises when time is up
      or the visitor has left, which ends the work.
    max_seconds: that the work may take.

  Yields:
    The progress, in order.

  Returns:
    What the work returns.

  Raises:
    UserError: it took too long.
    Exception: whatever the work raises.
  """
  news, left = queue.Queue(), threading.Event()
  deadline = time.monotonic() + max_seconds

  def tell(item):
    if left.is_set():
      raise _Left
    if time.monotonic() > deadline:
      raise UserError(
        f'this took longer than the {max_seconds / 60:g} minutes that the page'
        ' allows; give fewer pictures or steps, or a shorter driver'
      )
    news.put((item, None, False))

  def run():
    try:
      news.put((work(tell), None, True))
    except BaseException as error:  # raised again where it is awaited
      news.put((None, error, True))

  context = contextvars.copy_context()
  thread = threading.Thread(target=context.run, args=(run,), daemon=True)
  thread.start()
  try:
    while True:
      try:
        item, error, last = news.get(timeout=_PATIENCE)
      except queue.Empty:
        continue
      if error is not None:
        raise error
      if last:
        return item
      yield item
  finally:
    left.set()
