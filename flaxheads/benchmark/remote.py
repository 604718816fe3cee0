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

from flaxheads.benchmark import clock


def _serve(pipe, build, arguments):
  jax.config.update('jax_platforms', 'cpu')  # accelerators are for the others
  program = build(*arguments)
  with contextlib.suppress(EOFError, OSError):  # the other end is gone
    pipe.send((program.name, program.cost))
    while pipe.recv():
      pipe.send(program.time())


def _stop(process, pipe):
  pipe.close()
  process.terminate()
  process.join()


class _Remote:
  """One process; it ends with the last reference to this."""

  def __init__(self, build, arguments):
    context = multiprocessing.get_context('spawn')
    self._pipe, theirs = context.Pipe()
    process = context.Process(
      target=_serve, args=(theirs, build, arguments), daemon=True
    )
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
