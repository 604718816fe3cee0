"""Exports a training run as a folder: the networks, without the rest.

python -m launch.export --workdir=runs/s64 --output=models/s64

Of the model E, G and D without W, for launch.finetune and the others. Of a
comparator, X2Face or Pix2pixHD, what launch.evaluate compares with. Of a
network that tells people apart a file for launch.evaluate --arcface=FILE:

python -m launch.export --workdir=runs/identity --output=identity.safetensors
"""

import functools
import os

from absl import flags

from flaxheads.errors import UserError, check_choice
from launch import _replacing, app

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
_OUTPUT = flags.DEFINE_string(
  'output', None, 'The folder to write; of a face identity the file.'
)
_DTYPE = flags.DEFINE_string(
  'dtype',
  None,
  'Of the tensors of a folder: float32, float16 or bfloat16; float16.',
)
_CHECKPOINT = flags.DEFINE_string(
  'checkpoint', 'newest', 'newest, or best: with least error on fixed people.'
)


def _check_folder(output: str, kind: str) -> None:
  from flaxheads.fewshot import folders

  folders.check_output(output, kind)


def _export_model(output, config, state) -> str:
  from flaxheads import fewshot

  model = fewshot.model_from_state(
    state, config, {'dataset': config.data.dataset, 'seed': config.seed}
  )
  fewshot.save_model(output, model, _DTYPE.value or 'float16')
  return f'the model after {model.info["step"]} steps'


def _export_baseline(output, config, state) -> str:
  from flaxheads.evaluation.baselines import trained

  baseline = trained.from_state(state, config)
  trained.save(output, baseline, _DTYPE.value or 'float16')
  return f'{config.kind} after {baseline.info["step"]} steps'


def _check_identity(output: str) -> None:
  """Refuses what is no weight file of ours, as folders are refused."""
  from flaxheads.weights import store, tensors

  if not output.endswith('.safetensors'):
    raise UserError(f'--output={output}: must end in .safetensors')
  if _DTYPE.value:
    raise UserError('--dtype: a face identity is float32; leave the flag out')
  if os.path.isdir(output):
    raise UserError(f'--output={output}: is a folder; name a file')
  if os.path.isfile(output):
    found = tensors.read_metadata(output)
    wanted = {'network': store.STAND_IN, 'verified_by': store.TRAINED}
    if any(found.get(key) != value for key, value in wanted.items()):
      raise UserError(
        f'{output}: holds other tensors; give the name of a new file, or of a '
        'face identity to replace'
      )


def _export_identity(output, config, state) -> str:
  from flaxheads.weights import convention, store

  step, dataset = int(state.step), config.data.dataset
  store.save(
    output,
    store.STAND_IN,
    state.params,
    convention.ARCFACE,
    source=f'{dataset} in {step} steps',
    verified_by=store.TRAINED,
    licence='that of the data',
  )
  return f'{store.STAND_IN} after {step} steps on {dataset}'


# What is checked before, and what writes, by the kind of the experiment.
_BASELINE = functools.partial(_check_folder, kind='baseline'), _export_baseline
_KINDS = {
  'model': (functools.partial(_check_folder, kind='model'), _export_model),
  'x2face': _BASELINE,
  'pix2pixhd': _BASELINE,
  'face_identity': (_check_identity, _export_identity),
}


def main():
  """Exports."""
  app.check_given(_WORKDIR, _OUTPUT)
  if _DTYPE.value:
    check_choice('--dtype', _DTYPE.value, ('float32', 'float16', 'bfloat16'))
  check_choice('--checkpoint', _CHECKPOINT.value, ('newest', 'best'))
  from flaxheads.training import loop
  from flaxheads.training.workdir import load_config

  workdir = os.path.expanduser(_WORKDIR.value)
  output = os.path.expanduser(_OUTPUT.value)
  kind = load_config(workdir).get('kind', 'model')
  check_choice(f'{workdir}: kind', kind, tuple(_KINDS))
  check, export = _KINDS[kind]
  check(output)
  config, state = loop.restore(workdir, best=_CHECKPOINT.value == 'best')
  _replacing.warn(output)
  print(f'{_OUTPUT.value}: {export(output, config, state)}')


if __name__ == '__main__':
  app.run(main)
