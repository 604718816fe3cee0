"""Exports a training run as a folder: the networks, without the rest.

python -m launch.export --workdir=runs/s64 --output=models/s64

Of the model E, G and D without W, for launch.finetune and the others. Of a
comparator, X2Face or Pix2pixHD, what launch.evaluate compares with.
"""

import os

from absl import flags

from flaxheads.errors import check_choice
from launch import _replacing, app

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
_OUTPUT = flags.DEFINE_string('output', None, 'The folder to write.')
_DTYPE = flags.DEFINE_string(
  'dtype', 'float16', 'Of the tensors: float32, float16 or bfloat16.'
)
_CHECKPOINT = flags.DEFINE_string(
  'checkpoint', 'newest', 'newest, or best: that draws the fixed people best.'
)


def _export_model(config, state) -> str:
  from flaxheads import fewshot

  model = fewshot.model_from_state(
    state, config, {'dataset': config.data.dataset, 'seed': config.seed}
  )
  fewshot.save_model(_OUTPUT.value, model, _DTYPE.value)
  return f'the model after {model.info["step"]} steps'


def _export_baseline(config, state) -> str:
  from flaxheads.evaluation.baselines import trained

  baseline = trained.from_state(state, config)
  trained.save(_OUTPUT.value, baseline, _DTYPE.value)
  return f'{config.baseline} after {baseline.info["step"]} steps'


def main():
  """Exports."""
  app.check_given(_WORKDIR, _OUTPUT)
  check_choice('--dtype', _DTYPE.value, ('float32', 'float16', 'bfloat16'))
  check_choice('--checkpoint', _CHECKPOINT.value, ('newest', 'best'))
  from flaxheads.fewshot import folders
  from flaxheads.training import loop
  from flaxheads.training.workdir import load_config

  workdir = os.path.expanduser(_WORKDIR.value)
  is_baseline = 'baseline' in load_config(workdir)
  folders.check_output(_OUTPUT.value, 'baseline' if is_baseline else 'model')
  config, state = loop.restore(workdir, best=_CHECKPOINT.value == 'best')
  _replacing.warn(_OUTPUT.value)
  export = _export_baseline if is_baseline else _export_model
  print(f'{_OUTPUT.value}: {export(config, state)}')


if __name__ == '__main__':
  app.run(main)
