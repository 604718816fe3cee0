"""Exports a training run as a model folder: E, G and D, without W.

python -m launch.export --workdir=runs/s64 --output=models/s64
"""

import os

from absl import flags

from flaxheads.errors import check_choice
from launch import _replacing, app

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
_OUTPUT = flags.DEFINE_string('output', None, 'The model folder to write.')
_DTYPE = flags.DEFINE_string(
  'dtype', 'float16', 'Of the tensors: float32, float16 or bfloat16.'
)
_CHECKPOINT = flags.DEFINE_string(
  'checkpoint', 'newest', 'newest, or best: that draws the fixed people best.'
)


def main():
  """Exports."""
  app.check_given(_WORKDIR, _OUTPUT)
  check_choice('--dtype', _DTYPE.value, ('float32', 'float16', 'bfloat16'))
  check_choice('--checkpoint', _CHECKPOINT.value, ('newest', 'best'))
  from flaxheads import fewshot
  from flaxheads.fewshot import folders
  from flaxheads.training.loop import restore

  folders.check_output(_OUTPUT.value, 'model')
  config, state = restore(
    os.path.expanduser(_WORKDIR.value), best=_CHECKPOINT.value == 'best'
  )
  model = fewshot.model_from_state(
    state, config, {'dataset': config.data.dataset, 'seed': config.seed}
  )
  _replacing.warn(_OUTPUT.value)
  fewshot.save_model(_OUTPUT.value, model, _DTYPE.value)
  print(f'{_OUTPUT.value}: the model after {model.info["step"]} steps')


if __name__ == '__main__':
  app.run(main)
