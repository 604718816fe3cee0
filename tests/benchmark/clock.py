"""Programs timed in turns, so that a noisy machine is unfair to none."""

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import jax

from flaxheads.training import parallel
from flaxheads.training.cost import count_flops, peak_memory


class Cost(NamedTuple):
  """What XLA says of a run of a compiled program, for each device.

  Attributes:
    compile_seconds: tracing and compiling; little where the persistent cache
      had it.
    flops: see `count_flops`.
    bytes_accessed: XLA's own count of the compiled program, which counts what
      is read twice twice, and the body of a loop once.
    peak_bytes: arguments, results and temporary memory.
  """

  compile_seconds: float
  flops: float
  bytes_accessed: float
  peak_bytes: int

  def times(self, count: int) -> 'Cost':
    """Of `count` runs, one after the other."""
    flops, moved = count * self.flops, count * self.bytes_accessed
    return self._replace(flops=flops, bytes_accessed=moved)


class Program(NamedTuple):
  """Something to time.

  Attributes:
    name: for the table.
    run: does it once, and returns when it is done.
    cost: what it costs; None where only its time is known.
    remote: `run` returns the seconds that count, which passed in another
      process or after buffers had been emptied.
    warm: the first run counts, too.
  """

  name: str
  run: Callable
  cost: Cost | None = None
  remote: bool = False
  warm: bool = False

  def time(self) -> float:
    """Runs it once; the seconds that it took."""
    began = time.perf_counter()
    taken = self.run()
    return taken if self.remote else time.perf_counter() - began


class Timing(NamedTuple):
  """Seconds of one run.

  Attributes:
    median: over the repeats.
    low: the lower quartile.
    high: the upper quartile.
    repeats: how many there were.
  """

  median: float
  low: float
  high: float
  repeats: int


def compile_program(function, arguments) -> tuple[Callable, Cost]:
  """Compiles a jitted function for some arguments.

  Args:
    function: from jax.jit or parallel.pmap.
    arguments: a tuple, as it will be called.

  Returns:
    The program, and what it costs.
  """
  began = time.perf_counter()
  compiled = function.lower(*arguments).compile()
  seconds = time.perf_counter() - began
  moved = (compiled.cost_analysis() or {}).get('bytes accessed', 0.0)
  flops = count_flops(function, arguments, parallel.make_mesh(1), compiled)
  return compiled, Cost(seconds, flops, moved, peak_memory(compiled))


def hold(function: Callable, first, *others) -> Callable[[], None]:
  """A run of `function` that gives its first result to the next run.

  Args:
    function: (first, *others) -> (first, anything).
    first: say a state, which may be donated.
    *others: the same at every run.
  """
  kept = [first]

  def run():
    kept[0], rest = function(kept[0], *others)
    jax.block_until_ready((kept[0], rest))

  return run


def summarise(seconds: Sequence[float]) -> Timing:
  """Median and quartiles of some timings."""
  low, median, high = (
    statistics.quantiles(seconds, n=4, method='inclusive')
    if len(seconds) > 1
    else [seconds[0]] * 3
  )
  return Timing(median, low, high, len(seconds))


def interleave(
  programs: Sequence[Program],
  repeats: int,
  progress: Callable[[Iterable], Iterable] = iter,
) -> list[Timing]:
  """Times programs in turns, after a run of each that is not warm.

  Args:
    programs: each turn runs them in the other direction than the one before.
    repeats: turns.
    progress: wraps the turns, as tqdm does.

  Returns:
    A Timing for each program.
  """
  seconds = [[] for _ in programs]
  for program in programs:
    if not program.warm:
      program.run()
  order = list(range(len(programs)))
  for _ in progress(range(repeats)):
    for index in order:
      seconds[index].append(programs[index].time())
    order.reverse()
  return [summarise(each) for each in seconds]
