"""What this machine reaches at most: arithmetic and memory, measured."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.benchmark import clock

_REPEATS = 7


def _best(function, *arguments) -> float:
  run = jax.jit(function)
  jax.block_until_ready(run(*arguments))
  program = clock.Program('', lambda: jax.block_until_ready(run(*arguments)))
  return clock.interleave([program], _REPEATS)[0].low


def measure(dtype: str, side: int = 4096, mebibytes: int = 512) -> dict:
  """Measures one device's ceilings.

  Args:
    dtype: of the matrices.
    side: of the square matrices that are multiplied.
    mebibytes: that are copied.

  Returns:
    {'flops': FLOP/s of a matrix product, 'bandwidth': bytes/s of a copy,
    reading and writing}.
  """
  rng = np.random.default_rng(0)
  matrix = jnp.asarray(rng.normal(size=(side, side)), dtype)
  seconds = _best(lambda a, b: a @ b, matrix, matrix)
  count = mebibytes * 2**20 // 4
  copied = _best(lambda x: x + 1, jnp.zeros((count,), jnp.float32))
  return {'flops': 2 * side**3 / seconds, 'bandwidth': 8 * count / copied}
