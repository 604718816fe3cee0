"""A step costs the same with a thousand videos and with a million.

Times, interleaved in one run on one device, a whole step of the tiniest
experiment, which is short enough for the table to show, and the update of W
alone, with tables of 1,000 and of 1,000,000 rows: at most 1.1 times as long.
And on eight simulated devices each holds an eighth of W and of its moments.
"""

import os
import statistics
import subprocess
import sys
import time

import numpy as np

from launch import app
from launch.proofs import _commands as commands

_SIZES = (1_000, 1_000_000)
_REPEATS = 60
_MOST = 1.1


def _config():
  from configs import tiny

  config = tiny.get_config()
  config.model.base_channels, config.model.max_channels = 8, 8
  config.data.num_support = 1
  config.training.batch_size = 1
  config.training.discriminator_updates = 1
  return config


def _steps(config, mesh):
  """A step and an update of the table for each size, compiled."""
  import jax

  from flaxheads.data.pipeline import Batch
  from flaxheads.training import identity_table, parallel
  from flaxheads.training import networks as nets
  from flaxheads.training.content import pyramid_content
  from flaxheads.training.state import STATE_SPECS, create_state
  from flaxheads.training.step import make_train_step

  networks = nets.build_networks(config.model)
  rng = np.random.default_rng(0)
  count, k, size = config.training.batch_size, config.data.num_support, 64
  frames = rng.integers(0, 256, (count, k + 1, size, size, 3), np.uint8)
  points = rng.uniform(8, 56, (count, k + 1, 68, 2)).astype(np.float32)
  index = np.arange(count, dtype=np.int32)
  batch = parallel.place(Batch(frames, points, index), mesh, parallel.SHARDED)
  gradient = np.ones((count, config.model.embedding_size), np.float32)
  gradient = parallel.place(gradient, mesh, parallel.SHARDED)
  update = parallel.pmap(
    lambda table, i, g: identity_table.update(
      table, i, g, learning_rate=1e-4, b1=0.5, b2=0.999, epsilon=1e-5
    ),
    mesh,
    in_specs=(STATE_SPECS.table, parallel.SHARDED, parallel.SHARDED),
    out_specs=STATE_SPECS.table,
    donate_argnums=(0,),
  )
  step = make_train_step(config, networks, pyramid_content(config.loss), mesh)
  programs = {}
  for videos in _SIZES:
    holder = {'state': create_state(config, networks, videos, mesh)}

    def run_step(holder=holder):
      holder['state'], metrics = step(holder['state'], batch, {})
      jax.block_until_ready((holder['state'], metrics))

    def run_update(holder=holder):
      table = update(holder['state'].table, batch.video_index, gradient)
      holder['state'] = holder['state'].replace(table=table)
      jax.block_until_ready(table)

    programs[videos] = (run_step, run_update)
  return programs


def _time(programs) -> list[list[list[float]]]:
  """Seconds by [kind][size][repeat], the sizes taking turns."""
  seconds = [[[] for _ in _SIZES] for _ in range(2)]
  for repeat in range(_REPEATS + 5):
    for at, videos in enumerate(_SIZES):
      for kind, run in enumerate(programs[videos]):
        began = time.perf_counter()
        run()
        if repeat >= 5:
          seconds[kind][at].append(time.perf_counter() - began)
  return seconds


def _share_of_eight() -> float:
  """Bytes of W on the fullest of eight devices, over those of all of W."""
  program = (
    'from launch.proofs import table_size as t\n'
    'from flaxheads.training import parallel, networks as nets\n'
    'from flaxheads.training.state import create_state\n'
    'import jax\n'
    'config = t._config()\n'
    'table = create_state(config, nets.build_networks(config.model),'
    ' 1_000_000, parallel.make_mesh(8)).table\n'
    'each = [0] * 8\n'
    'for leaf in jax.tree.leaves(table):\n'
    '  for shard in leaf.addressable_shards:\n'
    '    each[shard.device.id] += shard.data.nbytes\n'
    'print(max(each) / sum(each))\n'
  )
  devices = '--xla_force_host_platform_device_count=8'
  done = subprocess.run(
    [sys.executable, '-c', program],
    env={**os.environ, 'XLA_FLAGS': devices, 'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
    check=True,
  )
  return float(done.stdout.split()[-1])


def main():
  """Times and concludes."""
  from flaxheads.training import parallel

  config = _config()
  checks = []
  kinds = ('a whole step', 'the update of W')
  timed = _time(_steps(config, parallel.make_mesh(1)))
  for kind, (few, many) in zip(kinds, timed, strict=True):
    few, many = statistics.median(few), statistics.median(many)
    claim = (
      f'{kind}: {few * 1e3:.2f} ms with 1,000 videos, {many * 1e3:.2f} ms with '
      f'1,000,000, {many / few:.3f} times'
    )
    checks.append((claim, many / few <= _MOST))
  share = _share_of_eight()
  checks.append((f'W on each of 8 devices: {share:.4f} of it', share == 1 / 8))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
