"""Programs for TPUs and GPUs compile and leave a tenth of the memory.

Needs JAX's CUDA plugin (pip install 'jax[cuda12]') or libtpu (pip install
'jax[tpu]'), but no such device. Prints the table of docs/scale.md: FLOPs and
memory traffic of a sample, peak memory of a device, the least time of a run,
and how long compilation took, with the CPU's seconds, which do not depend on
what else the machine does. `--only=gpu_8,h200_1` compiles some configs. An
interrupted run continues: figures are kept in a folder for each state of the
source.
"""

import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

from absl import flags

from flaxheads.training.gpu_targets import GPU_TARGETS
from launch import app
from tests.reproduce import _commands as commands

_EMBED = ('embed --num_shots=8', 'embed --num_shots=32')
_PERSON = (*_EMBED, 'finetune', 'animate')
_BILAYER_PERSON = (*_EMBED, 'animate')
# Config, devices, programs. Fine-tuning's step has the same batch at T = 8 and
# at T = 32.
_PROGRAMS = (
  ('voxceleb2_256_bilayer', 'h200:1', ('step',)),
  ('h200_1', 'h200:1', ('finetune', 'animate', *_EMBED, 'step')),
  ('gpu_8', 'h100:8', ('step',)),
  ('a100_1', 'a100-40g:1', ('step',)),
  ('bilayer_128', 't4:1', ('step', *_BILAYER_PERSON)),
  ('gpu_16gb', 't4:1', ('step', *_PERSON)),
  ('pix2pixhd_voxceleb2_256', 'a100-40g:1', ('step',)),
  ('x2face_voxceleb2_256', 'a100-40g:1', ('step',)),
  ('voxceleb2_256_bilayer', 'a100-40g:1', ('step', *_BILAYER_PERSON)),
  ('gpu_8', 'a100-40g:8', ('step',)),
  ('gpu_16gb', 'l4:1', ('step',)),
  ('gpu_8', 'a100-80g:8', ('step',)),
  ('v5e_8', 'v5e:2x4', ('step',)),
  ('v6e_8', 'v6e:2x4', ('step',)),
  ('v4_32', 'v4:2x2x4', ('step',)),
  ('v5e_64', 'v5e:8x8', ('step',)),
  ('v5e_8', 'v5e:1x1', _PERSON),
)
_ONLY = flags.DEFINE_list('only', [], 'Names of configs; default: all.')
_DEVICES = flags.DEFINE_list('devices', [], 'As h200:1; default: all.')
_FOLDER = Path('out/reproduce/compiled_configs')
_SOURCE = ('flaxheads/**/*.py', 'configs/*.py', 'launch/compile.py')
_LEFT = 0.1  # of the memory
_MINUTES = 3  # of two cores, that a program may take to compile for a GPU
_ROW = (
  '| {config} | {devices} | {program} | {samples:g} | {tflop:.3g} | '
  '{gigabytes:.3g} | {hbm:.3g} | {peak:.2g} | {left:.0%} | {least:.3g} ms, '
  '{limit} | {compile:.0f} s, {busy:.0f} s |'
)


def _source_folder() -> Path:
  """Of figures of the present source and JAX."""
  digest = hashlib.sha256(importlib.metadata.version('jaxlib').encode())
  for pattern in _SOURCE:
    for path in sorted(Path().glob(pattern)):
      digest.update(path.read_bytes())
  return _FOLDER / digest.hexdigest()[:12]


def _compile(folder, config, devices, program):
  """Figures of launch.compile; None where it failed."""
  words = re.sub(r'\W+', '_', f'{config} {devices} {program}')
  output = folder / f'{words}.json'
  name, *options = program.split()
  command = [
    'launch.compile',
    f'--config=configs/{config}.py',
    f'--topology={devices}',
    f'--program={name}',
    *options,
    f'--output={output}',
  ]
  print('$ python -m', *command, flush=True)
  if not output.exists():
    subprocess.run([sys.executable, '-m', *command], stdout=subprocess.DEVNULL)
  return json.loads(output.read_text()) if output.exists() else None


def _row(config, program, figures):
  samples = figures['samples_per_device']
  return _ROW.format(
    config=config,
    devices=figures['topology'],
    program=program.replace(' --num_shots=', ', T = '),
    samples=samples,
    tflop=figures['flops'] / samples / 1e12,
    gigabytes=figures['bytes_accessed'] / samples / 1e9,
    hbm=figures['hbm_bytes'] / samples / 1e9,
    peak=figures['peak_memory_bytes'] / 1e9,
    left=figures['memory_left'],
    least=figures['least_seconds'] * 1e3,
    limit=figures['limit'],
    compile=figures['compile_seconds'],
    busy=figures['compile_cpu_seconds'],
  )


def _checks(what, figures):
  left, busy = figures['memory_left'], figures['compile_cpu_seconds']
  yield f'{what}: {left:.0%} memory left', left >= _LEFT
  if figures['topology'].partition(':')[0] in GPU_TARGETS:
    # Of two cores, whatever else they did.
    yield f'{what}: {busy:.0f} s of CPU to compile', busy <= 120 * _MINUTES


def main():
  """Compiles and concludes."""
  folder = _source_folder()
  folder.mkdir(parents=True, exist_ok=True)
  rows, checks = [], []
  for config, devices, programs in _PROGRAMS:
    if _ONLY.value and config not in _ONLY.value:
      continue
    if _DEVICES.value and devices not in _DEVICES.value:
      continue
    for program in programs:
      what = f'{config} for {devices}, {program}'
      figures = _compile(folder, config, devices, program)
      if figures is None:
        checks.append((f'{what}: compiles', False))
        continue
      rows.append(_row(config, program, figures))
      checks += _checks(what, figures)
  print(
    '| config | devices | program | samples a device | TFLOP a sample | '
    'GB a sample | in HBM | peak GB | left | least time, limit | '
    'compiled in, CPU |'
  )
  print('|---' * 11 + '|')
  print('\n'.join(rows))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
