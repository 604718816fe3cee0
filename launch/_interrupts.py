"""Ctrl-C ends a command once and for all, in one line, whenever it comes."""

import _thread
import signal
import sys
import threading
import time

INTERRUPTED = 130
_PAUSE = 0.1  # seconds between looks


def say(message: str) -> None:
  """Prints one line to stderr, beginning with the command's name."""
  program = sys.argv[0].rsplit('/', 1)[-1].removesuffix('.py')
  one_line = ' '.join(message.split())
  print(f'{program}: {one_line}', file=sys.stderr, flush=True)


def _is_unwinding(main: int) -> bool:
  """Whether the main thread is on its way out: in `except`, or `finally`."""
  found = sys._current_exceptions().get(main)
  error = found[1] if isinstance(found, tuple) else found  # from 3.12 on alone
  while error is not None:
    if isinstance(error, KeyboardInterrupt):
      return True
    error = error.__context__
  return False


def _see_to_it(handler) -> None:
  """Interrupts the main thread again where the interrupt was dropped.

  Python drops an exception that is raised in a callback of the garbage
  collector or in `__del__`, and JAX has places with a bare `except`.
  """
  main = threading.main_thread().ident
  dropped = 0
  while signal.getsignal(signal.SIGINT) is handler:
    time.sleep(_PAUSE)
    dropped = 0 if _is_unwinding(main) else dropped + 1
    # One look may fall between two `finally`.
    if dropped == 2 and signal.getsignal(signal.SIGINT) is handler:
      dropped = 0
      signal.pthread_kill(main, signal.SIGINT)


def ended() -> None:
  """To be called where KeyboardInterrupt arrives: it need not come again."""
  if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def install() -> None:
  """Sees to it that a KeyboardInterrupt arrives, and ends in one line.

  An interrupt while modules are imported would end in a traceback. Where a
  shell has SIGINT ignored, as for its background jobs, it stays ignored.
  """
  drop, show = sys.unraisablehook, sys.excepthook
  watched = False

  def watch():
    nonlocal watched
    _see_to_it(interrupt)
    watched = False

  def interrupt(signum, frame):
    nonlocal watched
    del signum, frame
    if not watched:
      watched = True
      # threading.Thread takes locks, which what was interrupted may hold.
      _thread.start_new_thread(watch, ())
    raise KeyboardInterrupt

  def drop_quietly(unraisable):
    if unraisable.exc_type is not KeyboardInterrupt:
      drop(unraisable)

  def show_in_one_line(kind, error, trace):
    if kind is KeyboardInterrupt:  # Python itself exits as interrupted
      ended()
      say('interrupted')
    else:
      show(kind, error, trace)

  sys.unraisablehook, sys.excepthook = drop_quietly, show_in_one_line
  if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, interrupt)
