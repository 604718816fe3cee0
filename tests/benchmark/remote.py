"""Programs that run in processes of their own, and are timed there.

Large programs of two frameworks in one process disturb each other: what one
keeps comes to lie where the other's next run wanted room, and both pay for
fresh pages.
"""

import contextlib
import multiprocessing
import weakref
from collections.abc import Callable

import jax

from tests.benchmark import clock

_PATIENCE = 20  # seconds for a process to end by itself


def _serve(pipe, build, arguments):
  jax.config.update('jax_platforms', 'cpu')  # accelerators are for the others
  program = build(*arguments)
  with contextlib.suppress(EOFError, OSError):  # the other end is gone
    pipe.send((program.name, program.cost))
    while pipe.recv():
      pipe.send(program.time())


def _stop(process, pipe):
  pipe.close()  # upon which it ends
  process.join(_PATIENCE)
  if process.is_alive():
    process.terminate()
    process.join()


class _Remote:
  """One process; it ends with the last reference to this."""

  def __init__(self, build, arguments):
    context = multiprocessing.get_context('spawn')
    self._pipe, theirs = context.Pipe()
    # No daemon, which could not start workers of its own.
    process = context.Process(target=_serve, args=(theirs, build, arguments))
    process.start()
    theirs.close()
    weakref.finalize(self, _stop, process, self._pipe)
    self.name, self.cost = self._ask()

  def _ask(self, question=None):
    try:
      if question is not None:
        self._pipe.send(question)
      return self._pipe.recv()
    except (EOFError, OSError):
      raise RuntimeError('a timed program ended: see above') from None

  def run(self) -> float:
    """Runs the program once; the seconds that it took there."""
    return self._ask(True)


def program(
  build: Callable[..., clock.Program], *arguments, alone: bool = False
) -> clock.Program:
  """What `build` makes of `arguments`, made and run in another process.

  Args:
    build: a function of a module. JAX has only the CPU there.
    *arguments: may be pickled.
    alone: each run has a process of its own, which ends with it: for programs
      that don't fit in the memory beside each other.

  Raises:
    RuntimeError: the process ended, now or in a later run.
  """
  made = _Remote(build, arguments)
  name, cost = made.name, made.cost
  if not alone:
    return clock.Program(name, made.run, cost, remote=True)
  del made  # it has compiled; those that follow load

  def run():
    process = _Remote(build, arguments)
    process.run()
    return process.run()

  return clock.Program(name, run, cost, remote=True, warm=True)


def compile_ahead(build: Callable[..., clock.Program], *arguments) -> None:
  """Makes a program once, in a process that ends, for the cache to have it.

  On CPUs alone: a process that has compiled a large program itself runs it a
  quarter slower than those that load it, which are all but a user's first.

  Args:
    build: see `program`.
    *arguments: see `program`.

  Raises:
    RuntimeError: the process ended early.
  """
  if jax.default_backend() == 'cpu':
    _Remote(build, arguments)
