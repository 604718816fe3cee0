"""Ctrl-C ends a command once and for all, in one line, whenever it comes."""

import _thread
import sys
import threading

INTERRUPTED = 130
_PAUSE = 0.02  # seconds, for Python to leave what drops exceptions


def say(message: str) -> None:
  """Prints one line to stderr, beginning with the command's name."""
  program = sys.argv[0].rsplit('/', 1)[-1].removesuffix('.py')
  one_line = ' '.join(message.split())
  print(f'{program}: {one_line}', file=sys.stderr, flush=True)


def install() -> None:
  """Sees to KeyboardInterrupt where no `except` of ours can.

  Python drops an exception that is raised in a callback of the garbage
  collector or in `__del__`: the interrupt would be lost, so it is sent again.
  An interrupt while modules are imported would end in a traceback.
  """
  drop, show = sys.unraisablehook, sys.excepthook

  def send_again(unraisable):
    if unraisable.exc_type is KeyboardInterrupt:
      threading.Timer(_PAUSE, _thread.interrupt_main).start()
    else:
      drop(unraisable)

  def show_in_one_line(kind, error, trace):
    if kind is KeyboardInterrupt:  # Python itself exits as interrupted
      say('interrupted')
    else:
      show(kind, error, trace)

  sys.unraisablehook, sys.excepthook = send_again, show_in_one_line
