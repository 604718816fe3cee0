"""Ctrl-C ends a command at any moment, with one line and exit code 130."""

import _thread
import signal
import sys
import threading
import time

from ._messages import say

EXIT_CODE = 130
_INTERVAL = 0.1  # seconds between checks


def _is_unwinding(main: int) -> bool:
  """Whether the main thread handles the interrupt, in `except` or `finally`."""
  found = sys._current_exceptions().get(main)
  error = found[1] if isinstance(found, tuple) else found  # a tuple until 3.11
  while error is not None:
    if isinstance(error, KeyboardInterrupt):
      return True
    error = error.__context__
  return False


def _repeat_if_lost(handler) -> None:
  """Interrupts the main thread again if the interrupt was lost.

  Python discards an exception that is raised in a callback of the garbage
  collector or in `__del__`, and JAX has places with a bare `except`.
  """
  main = threading.main_thread().ident
  misses = 0
  while signal.getsignal(signal.SIGINT) is handler:
    time.sleep(_INTERVAL)
    misses = 0 if _is_unwinding(main) else misses + 1
    # A single check may fall between two `finally`.
    if misses == 2 and signal.getsignal(signal.SIGINT) is handler:
      misses = 0
      signal.pthread_kill(main, signal.SIGINT)


def stop_repeating() -> None:
  """To be called where KeyboardInterrupt was caught."""
  if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def install() -> None:
  """Handles SIGINT from now on, also while modules are imported.

  SIGINT stays ignored where the shell ignores it, as for background jobs.
  """
  default_unraisablehook = sys.unraisablehook
  default_excepthook = sys.excepthook
  is_watched = False

  def watch():
    nonlocal is_watched
    _repeat_if_lost(interrupt)
    is_watched = False

  def interrupt(signum, frame):
    nonlocal is_watched
    del signum, frame
    if not is_watched:
      is_watched = True
      # threading.Thread takes locks that the interrupted code may hold.
      _thread.start_new_thread(watch, ())
    raise KeyboardInterrupt

  def unraisablehook(unraisable):
    if unraisable.exc_type is not KeyboardInterrupt:
      default_unraisablehook(unraisable)

  def excepthook(kind, error, trace):
    if kind is KeyboardInterrupt:  # Python then exits with 130 by itself
      stop_repeating()
      say('interrupted')
    else:
      default_excepthook(kind, error, trace)

  sys.unraisablehook, sys.excepthook = unraisablehook, excepthook
  if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, interrupt)
