"""Exports a training run as a model folder: E, G and D, without W.

python -m launch.export --workdir=runs/s64 --output=models/s64
"""

from absl import flags

from flaxheads.errors import UserError, check_choice
from launch import app

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
_OUTPUT = flags.DEFINE_string('output', None, 'The model folder to write.')
_DTYPE = flags.DEFINE_string(
  'dtype', 'float16', 'Of the tensors: float32, float16 or bfloat16.'
)


def main():
  """Exports."""
  for flag in (_WORKDIR, _OUTPUT):
    if not flag.value:
      raise UserError(f'--{flag.name} is missing: {flag.help}')
  check_choice('--dtype', _DTYPE.value, ('float32', 'float16', 'bfloat16'))
  from flaxheads import fewshot
  from flaxheads.training.loop import restore

  config, state = restore(_WORKDIR.value)
  model = fewshot.model_from_state(
    state, config, {'dataset': config.data.dataset, 'seed': config.seed}
  )
  fewshot.save_model(_OUTPUT.value, model, _DTYPE.value)
  print(f'{_OUTPUT.value}: the model after {model.info["step"]} steps')


if __name__ == '__main__':
  app.run(main)
