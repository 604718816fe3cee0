"""jax.jit for programs that take a CPU longer to compile than to run.

A person waits for the first frame of a video, and on a CPU most of that is
compilation. Measured on two busy cores, 2026-11-29, CPU-seconds to compile, and
to run once: the bi-layer generator for 8 frames 3.0 and 0.12 with legacy
fusions, 1.9 and 0.12 at level 1, 0.5 and 0.23 without optimisation. Training
has legacy fusions as well, with which it is no slower: docs/savings.md.
"""

import functools
from collections.abc import Callable

import jax

_LEGACY_FUSIONS = {'xla_cpu_use_fusion_emitters': False}
_LEVELS = {
  'long': _LEGACY_FUSIONS,
  'some': {**_LEGACY_FUSIONS, 'xla_backend_optimization_level': 1},
  'once': {
    **_LEGACY_FUSIONS,
    'xla_backend_optimization_level': 0,
    'xla_llvm_disable_expensive_passes': True,
  },
}


@functools.cache
def cpu_options(runs: str) -> dict | None:
  """Options of XLA for a program on the present device; None for the default.

  Args:
    runs: 'long', 'some' or 'once': what the program's own time weighs
      against that of its compilation.
  """
  if jax.default_backend() != 'cpu':
    return None
  options = _LEVELS[runs]
  try:
    jax.jit(lambda: 0).lower().compile(compiler_options=options)
  except jax.errors.JaxRuntimeError:  # an XLA without these options
    return None
  return options


def quick_jit(function: Callable, runs: str) -> Callable:
  """jax.jit with `cpu_options`, which are looked up at the first call.

  Where JAX is told to disable most optimisations, as in tests, they are those
  of 'once'.

  Args:
    function: as of jax.jit. It cannot be called within another jitted function.
    runs: as of `cpu_options`.

  Returns:
    The function. Its `jitted()` returns what jax.jit made, to be lowered.
  """

  @functools.cache
  def jitted():
    hurried = jax.config.read('jax_disable_most_optimizations')
    options = cpu_options('once' if hurried else runs)
    return jax.jit(function, compiler_options=options)

  @functools.wraps(function)
  def call(*arguments):
    return jitted()(*arguments)

  call.jitted = jitted
  return call
