"""Compiles the step of a run."""

import time
from collections.abc import Callable

import jax
from absl import logging

from flaxheads import platforms
from flaxheads.quick_jit import cpu_options

# Numbers in the state times those in the batch times steps, below which a CPU
# takes longer to compile a program than a slower one to run: 500 steps of
# configs/tiny.py. CPU-seconds measured 2026-11-29: to compile 76 with XLA's
# default, 20 without optimisation, 15 in the form for accelerators as well; a
# step 0.08, and 0.29 in either form. Where networks are large, the form for
# accelerators takes three times as long as that for CPUs.
_LITTLE_WORK = 1e13


def _count(tree) -> int:
  return sum(leaf.size for leaf in jax.tree.leaves(tree))


def compile_for(
  function: Callable, arguments: tuple, num_steps: int
) -> tuple[Callable, float | None]:
  """Compiles a function of `parallel.pmap` for these arguments.

  On CPUs, short runs of small networks get a program that compiles quickly and
  runs slowly.

  Args:
    function: (state, batch, ...) -> anything.
    arguments: what it will be called with.
    num_steps: how often. The same number when a run resumes, so that it resumes
      with the same program.

  Returns:
    The program, and its FLOPs on each device where XLA counts them.
  """
  logging.info('compiling the step; large networks take several minutes')
  began = time.monotonic()
  state, batch, *_ = arguments
  is_little = num_steps * _count(state) * _count(batch) < _LITTLE_WORK
  options = cpu_options('once') if is_little else None
  with platforms.tracing_for('gpu' if options else None):
    lowered = function.lower(*arguments)
  compiled = lowered.compile(compiler_options=options)
  logging.info('compiled in %.0f s', time.monotonic() - began)
  cost = compiled.cost_analysis() or {}
  return compiled, cost.get('flops')
