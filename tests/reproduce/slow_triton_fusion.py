"""A program whose compilation for a GPU XLA's softmax rewriter makes slow.

The pass turns the normalisation in `distance` into a Triton fusion, and
priority-fusion then searches tilings of all that it might be fused with: the
time grows many times with every segment. flaxheads/xla_flags.py has the way
out. Needs JAX's CUDA plugin (pip install 'jax[cuda12]') and no GPU.
"""

import functools
import os
import resource
import subprocess
import sys
import time

from absl import flags

from launch import app
from tests.reproduce import _commands as commands

_SEGMENTS = flags.DEFINE_integer('segments', 4, 'Of the polyline.')
_SETTING = flags.DEFINE_string('disable', None, 'Compiles here; for children.')
_RATIO = 20  # of CPU seconds, with the pass to without
_MOST_SECONDS = 120  # of CPU, of one compilation


def _distances(num_segments: int, size: int = 64):
  """[B, N + 1, 2] to [B, S, S]: squared distances to a polyline."""
  import jax
  import jax.numpy as jnp

  centres = jnp.arange(size) + 0.5

  def distance(start, end):
    direction = end - start
    share = direction / jnp.maximum((direction**2).sum(), 1e-6)
    x, y = centres[None] - start[0], centres[:, None] - start[1]
    place = jnp.clip(x * share[0] + y * share[1], 0, 1)
    return (x - place * direction[0]) ** 2 + (y - place * direction[1]) ** 2

  @jax.vmap
  def nearest(points):
    parts = [distance(points[i], points[i + 1]) for i in range(num_segments)]
    return functools.reduce(jnp.minimum, parts)

  return nearest


def _compile() -> None:
  """Prints the CPU seconds of one compilation."""
  import jax

  from flaxheads.training import absent_devices, parallel

  points = jax.ShapeDtypeStruct((4, _SEGMENTS.value + 1, 2), 'float32')
  mesh = absent_devices.make_topology_mesh('h200:1')
  points = parallel.describe_placed(points, mesh, parallel.REPLICATED)
  lowered = jax.jit(_distances(_SEGMENTS.value)).lower(points)
  began = time.process_time()
  limit = int(began) + _MOST_SECONDS
  resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
  lowered.compile()
  print(time.process_time() - began)


def _seconds(passes: str) -> float:
  """CPU seconds with some passes disabled; infinite past the limit."""
  variables = {
    'JAX_PLATFORMS': 'cpu',
    'JAX_SKIP_CUDA_CONSTRAINTS_CHECK': '1',
    'JAX_ENABLE_COMPILATION_CACHE': 'false',
    'XLA_FLAGS': f'--xla_disable_hlo_passes={passes}',
  }
  command = [
    *(sys.executable, '-m', __spec__.name),
    *(f'--segments={_SEGMENTS.value}', f'--disable={passes}'),
  ]
  done = subprocess.run(
    command, env=os.environ | variables, stdout=subprocess.PIPE, text=True
  )
  if done.returncode > 0:  # negative: the limit's signal
    raise SystemExit(done.returncode)
  return float('inf') if done.returncode else float(done.stdout)


def main():
  """Compiles with the pass and without."""
  if _SETTING.value:
    return _compile()
  without, given = _seconds('triton-softmax-rewriter'), _seconds('none')
  return commands.conclude(
    [
      (
        f'{_SEGMENTS.value} segments: {given:.1f} s with the pass (at most '
        f'{_MOST_SECONDS} are waited for), {without:.1f} s without',
        given >= _RATIO * without,
      )
    ]
  )


if __name__ == '__main__':
  app.run(main)
