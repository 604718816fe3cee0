"""Every TPU and GPU config compiles and leaves a tenth of the memory.

Needs libtpu (pip install 'jax[tpu]') or JAX's CUDA plugin (pip install
'jax[cuda12]') but no such device; takes minutes for each config. Prints the
table of docs/scale.md: FLOPs and memory traffic of a sample, peak memory of a
device, and the least time of a step and of 75 epochs of VoxCeleb2.
"""

import json
import subprocess
import sys
from pathlib import Path

from absl import flags

from launch import app
from tests.reproduce import _commands as commands

_CONFIGS = {
  'v5e_8': ('v5e:2x4',),
  'v5e_64': ('v5e:8x8',),
  'v4_32': ('v4:2x2x4',),
  'v6e_8': ('v6e:2x4',),
  'h200_1': ('h200:1',),
  'gpu_8': ('h100:8', 'a100-80g:8', 'a100-40g:8'),
  'gpu_16gb': ('t4:1', 'l4:1'),
  'voxceleb2_256_bilayer': ('h200:1', 'a100-40g:1'),
}
_ONLY = flags.DEFINE_list('only', list(_CONFIGS), 'Names of configs.')
_FOLDER = Path('out/reproduce/compiled_configs')
_LEFT = 0.1  # of the memory
_ROW = (
  '| {name} | {topology} | {samples:g} | {tflop:.2f} | {gigabytes:.2f} | '
  '{hbm:.1f} | {peak:.1f} | {left:.0%} | {step:.0f} ms, {limit} | '
  '{hours:.0f} h | {compile:.0f} s |'
)


def _compile(name, topology):
  """Figures of launch.compile; None where it failed."""
  output = _FOLDER / f'{name}_{topology.replace(":", "_")}.json'
  command = [
    'launch.compile',
    f'--config=configs/{name}.py',
    f'--topology={topology}',
    f'--output={output}',
  ]
  print('$ python -m', *command, flush=True)
  done = subprocess.run(
    [sys.executable, '-m', *command], stdout=subprocess.DEVNULL
  )
  return None if done.returncode else json.loads(output.read_text())


def _row(name, figures):
  samples = figures['samples_per_device']
  return _ROW.format(
    name=name,
    topology=figures['topology'],
    samples=samples,
    tflop=figures['flops'] / samples / 1e12,
    gigabytes=figures['bytes_accessed'] / samples / 1e9,
    hbm=figures['hbm_bytes'] / samples / 1e9,
    peak=figures['peak_memory_bytes'] / 2**30,
    left=figures['memory_left'],
    step=figures['least_step_seconds'] * 1e3,
    limit=figures['limit'],
    hours=figures['least_hours_of_75_epochs'],
    compile=figures['compile_seconds'],
  )


def main():
  """Compiles and concludes."""
  _FOLDER.mkdir(parents=True, exist_ok=True)
  rows, checks = [], []
  for name in _ONLY.value:
    for topology in _CONFIGS[name]:
      figures = _compile(name, topology)
      if figures is None:
        checks.append((f'{name} for {topology}: compiles', False))
        continue
      rows.append(_row(name, figures))
      left = figures['memory_left']
      checks.append(
        (f'{name} for {topology}: {left:.0%} memory left', left >= _LEFT)
      )
  print(
    '| config | topology | samples a device | TFLOP a sample | GB a sample | '
    'HBM | GiB peak | left | least step, limit | 75 epochs | compiled in |'
  )
  print('|---' * 11 + '|')
  print('\n'.join(rows))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
