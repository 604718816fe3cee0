"""Compiles a program of a config for devices that are not present.

python -m launch.compile --config=configs/v5e_8.py --topology=v5e:2x4
python -m launch.compile --config=configs/h200_1.py --topology=h200:1
python -m launch.compile --config=configs/h200_1.py --topology=h200:1 \
  --program=finetune --num_shots=32

Needs libtpu (`pip install 'jax[tpu]'`) or JAX's CUDA plugin
(`pip install 'jax[cuda12]'`), but neither TPU nor GPU. Prints the cost of a run
per device and its minimum time by the datasheet, for a step also that of 75
epochs of VoxCeleb2. If the program does not fit, `advice` names the field to
change, and the exit code is 1. XLA for TPUs counts prefetched bytes more than
once, so its memory traffic only compares programs. A config of 256² takes
minutes.
"""

import json
import os

from absl import flags

from flaxheads.errors import RunFailedError, check_range

from . import _config_flags, _logs, app

_experiment = _config_flags.define_experiment()
flags.declare_key_flag('config')  # for --help
_TOPOLOGY = flags.DEFINE_string(
  'topology',
  None,
  'Devices and their arrangement, such as v5e:2x4, h200:1, a100-40g:8.',
)
_PROGRAM = flags.DEFINE_string(
  'program',
  'step',
  'step (of training), embed (--num_shots frames), finetune (one step) or '
  'animate (a batch of frames).',
)
_SHOTS = flags.DEFINE_integer(
  'num_shots', 8, 'Frames of embed and finetune (T).'
)
_OUTPUT = flags.DEFINE_string('output', None, 'JSON file to write as well.')


def main():
  """Compiles and reports."""
  config = _experiment()
  app.check_given(_TOPOLOGY)
  check_range('--num_shots', _SHOTS.value, 1, 1024)
  _logs.log_info()
  from flaxheads import programs
  from flaxheads.data.output_files import atomic_path
  from flaxheads.training.absent_devices import make_topology_mesh

  # There is neither a GPU nor a TPU here to ask about itself.
  os.environ.setdefault('JAX_SKIP_CUDA_CONSTRAINTS_CHECK', '1')
  os.environ.setdefault('TPU_SKIP_MDS_QUERY', '1')
  os.environ.setdefault('ALLOW_MULTIPLE_LIBTPU_LOAD', '1')  # and share none
  mesh = make_topology_mesh(_TOPOLOGY.value)
  figures = {
    'topology': _TOPOLOGY.value,
    **programs.describe_on(config, mesh, _PROGRAM.value, _SHOTS.value),
  }
  if _OUTPUT.value:
    with atomic_path(os.path.expanduser(_OUTPUT.value)) as path:
      path.write_text(json.dumps(figures, indent=2))
  print(json.dumps(figures))
  if figures.get('memory_left', 1) < 0:
    raise RunFailedError(
      f'{_TOPOLOGY.value}: does not fit; {figures["advice"]}'
    )


if __name__ == '__main__':
  app.run(main)
