"""Every TPU config compiles ahead of time and leaves a tenth of the memory.

Needs libtpu (pip install 'jax[tpu]') and no TPU; takes minutes for each
config. Prints the README's table: FLOPs and memory traffic of a sample, peak
memory of a chip, and the least time of a step and of 75 epochs of VoxCeleb2.
"""

import json
import subprocess
import sys
from pathlib import Path

from absl import flags

from launch import app
from tests.reproduce import _commands as commands

_CONFIGS = {
  'v5e_8': 'v5e:2x4',
  'v5e_64': 'v5e:8x8',
  'v4_32': 'v4:2x2x4',
  'v6e_8': 'v6e:2x4',
}
_ONLY = flags.DEFINE_list('only', list(_CONFIGS), 'Names of configs.')
_FOLDER = Path('out/reproduce/tpu_configs')
_LEFT = 0.1  # of the memory
_ROW = (
  '| {name} | {samples:g} | {tflop:.2f} | {gigabytes:.2f} | {hbm:.1f} | '
  '{peak:.1f} | '
  '{left:.0%} | {step:.0f} ms, {limit} | {hours:.0f} h |'
)


def main():
  """Compiles and concludes."""
  _FOLDER.mkdir(parents=True, exist_ok=True)
  rows, checks = [], []
  for name in _ONLY.value:
    output = _FOLDER / f'{name}.json'
    command = (
      f'compile_tpu --config=configs/{name}.py --topology={_CONFIGS[name]} '
      f'--output={output}'
    )
    print(f'$ python -m launch.{command}', flush=True)
    words = command.split()
    done = subprocess.run(
      [sys.executable, '-m', f'launch.{words[0]}', *words[1:]],
      stdout=subprocess.DEVNULL,
    )
    if done.returncode:
      checks.append((f'{name}: compiles', False))
      continue
    figures = json.loads(output.read_text())
    samples = figures['samples_per_device']
    rows.append(
      _ROW.format(
        name=name,
        samples=samples,
        tflop=figures['flops'] / samples / 1e12,
        gigabytes=figures['bytes_accessed'] / samples / 1e9,
        hbm=figures['hbm_bytes'] / samples / 1e9,
        peak=figures['peak_memory_bytes'] / 2**30,
        left=figures['memory_left'],
        step=figures['least_step_seconds'] * 1e3,
        limit=figures['limit'],
        hours=figures['least_hours_of_75_epochs'],
      )
    )
    left = figures['memory_left']
    checks.append((f'{name}: {left:.0%} of the memory is left', left >= _LEFT))
  print(
    '| config | samples a chip | TFLOP a sample | GB a sample | of HBM | '
    'GiB peak | left | least step, limit | least 75 epochs |'
  )
  print('|---' * 9 + '|')
  print('\n'.join(rows))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
