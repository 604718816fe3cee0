"""Exports the networks of a training run as a model folder.

python -m launch.export --workdir=runs/s64 --output=models/s64

A model folder holds E, G and D without W. An exported baseline (X2Face,
Pix2pixHD) is a folder for launch.evaluate. A face identity network is a file
for launch.evaluate --arcface=FILE:

python -m launch.export --workdir=runs/identity --output=identity.safetensors
"""

import os

from absl import flags

from flaxheads.errors import check_choice

from . import _outputs, app

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
_OUTPUT = flags.DEFINE_string(
  'output', None, 'Folder to write; a .safetensors file for a face identity.'
)
_DTYPE = flags.DEFINE_string(
  'dtype',
  None,
  'Type of the tensors: float32, float16 or bfloat16. Default: float16.',
)
_CHECKPOINT = flags.DEFINE_string(
  'checkpoint',
  'newest',
  'newest, or best: the one with the least error on the preview batch.',
)


def main():
  """Exports."""
  app.check_given(_WORKDIR, _OUTPUT)
  if _DTYPE.value:
    check_choice('--dtype', _DTYPE.value, ('float32', 'float16', 'bfloat16'))
  check_choice('--checkpoint', _CHECKPOINT.value, ('newest', 'best'))
  from flaxheads import experiments
  from flaxheads.training.workdir import load_config

  workdir = os.path.expanduser(_WORKDIR.value)
  output = os.path.expanduser(_OUTPUT.value)
  dtype = _DTYPE.value or ''
  experiment = experiments.find(experiments.read_config(load_config(workdir)))
  experiment.check_output(output, dtype)
  config, state = experiments.restore(workdir, best=_CHECKPOINT.value == 'best')
  _outputs.warn_replaced(output)
  exported = experiment.export(output, config, state, dtype)
  print(f'{_OUTPUT.value}: {exported}')


if __name__ == '__main__':
  app.run(main)
