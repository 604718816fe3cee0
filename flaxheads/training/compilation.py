"""Compiles the step of a run."""

import time
from collections.abc import Callable

import jax
from absl import logging

from flaxheads.quick_jit import cpu_options

# Numbers in the state times those in the batch times steps, below which a CPU
# takes longer to compile than to run at a quarter of the speed: 200 steps of
# configs/tiny.py, measured 2026-11-29: 19 CPU-seconds to compile and 0.29 a
# step, with XLA's default 76 and 0.08.
_LITTLE_WORK = 2e13


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
  logging.info('compiling the step: a minute, or many where it is large')
  began = time.monotonic()
  state, batch, *_ = arguments
  is_little = num_steps * _count(state) * _count(batch) < _LITTLE_WORK
  options = cpu_options('once') if is_little else None
  compiled = function.lower(*arguments).compile(compiler_options=options)
  logging.info('compiled in %.0f s', time.monotonic() - began)
  cost = compiled.cost_analysis() or {}
  return compiled, cost.get('flops')
