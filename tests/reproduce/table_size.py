"""A step costs the same with a thousand videos and with a million.

Times, interleaved in one run on one device, with tables of 1,000 and of
1,000,000 rows: a whole step of the tiniest experiment, which is short enough
for the table to show, and the update of W alone, 48 rows of 512 numbers (6 GB
of memory). The larger one takes at most 1.1 times as long.
And on eight simulated devices each holds an eighth of W and of its moments.
"""

import dataclasses
import os
import statistics
import subprocess
import sys
import time

import numpy as np

from launch import app
from tests.reproduce import _commands as commands

_SIZES = (1_000, 1_000_000)
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
  """A whole step for each size."""
  from flaxheads import networks as nets
  from flaxheads.data.batch import Batch
  from flaxheads.training import parallel
  from flaxheads.training.content_loss import pyramid_content
  from flaxheads.training.state import create_state
  from flaxheads.training.step import make_train_step
  from tests.benchmark import clock

  networks = nets.build_networks(config.model)
  rng = np.random.default_rng(0)
  count, k, size = config.training.batch_size, config.data.num_support, 64
  frames = rng.integers(0, 256, (count, k + 1, size, size, 3), np.uint8)
  points = rng.uniform(8, 56, (count, k + 1, 68, 2)).astype(np.float32)
  index = np.arange(count, dtype=np.int32)
  batch = parallel.place(Batch(frames, points, index), mesh, parallel.SHARDED)
  step = make_train_step(config, networks, pyramid_content(config.loss), mesh)

  return [
    clock.hold(step, create_state(config, networks, videos, mesh), batch, {})
    for videos in _SIZES
  ]


def _updates():
  """The update of W alone for each size: the paper's rows and batch."""
  from configs import voxceleb2_256
  from tests.benchmark import identity_table, sizes

  size = sizes.find('cpu')
  size = dataclasses.replace(size, experiment=voxceleb2_256.get_config())
  return [identity_table.ours(size, videos).run for videos in _SIZES]


def _time(programs, turns, times) -> list[float]:
  """Median seconds of each program over turns of `times`, in either order."""
  seconds = [[] for _ in programs]
  for repeat in range(-5, turns):
    for at in range(len(programs))[:: 1 if repeat % 2 else -1]:
      began = time.perf_counter()
      for _ in range(times):
        programs[at]()
      if repeat >= 0:
        seconds[at].append((time.perf_counter() - began) / times)
  return [statistics.median(each) for each in seconds]


def _share_of_eight() -> float:
  """Bytes of W on the fullest of eight devices, over those of all of W."""
  program = (
    'from tests.reproduce import table_size as t\n'
    'from flaxheads import networks as nets\n'
    'from flaxheads.training import parallel\n'
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

  mesh, checks = parallel.make_mesh(1), []
  for kind, programs, turns, times in (
    ('a whole step', _steps(_config(), mesh), 60, 1),
    ('the update of W', _updates(), 300, 20),
  ):
    few, many = _time(programs, turns, times)
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
