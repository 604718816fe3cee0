"""A trained face identity network as a file of weights, for evaluation."""

import os

from flaxheads.errors import UserError
from flaxheads.weights import convention, store, tensors


def check_output(output: str, dtype: str) -> None:
  """Raises UserError where an export cannot be written to `output`."""
  if not output.endswith('.safetensors'):
    raise UserError(f'--output={output}: must end in .safetensors')
  if dtype:
    raise UserError('--dtype: a face identity is float32; leave the flag out')
  if os.path.isdir(output):
    raise UserError(f'--output={output}: is a folder; name a file')
  if os.path.isfile(output):
    found = tensors.read_metadata(output)
    wanted = {'network': store.PROXY, 'verified_by': store.TRAINED}
    if any(found.get(key) != value for key, value in wanted.items()):
      raise UserError(
        f'{output}: holds other tensors; give the name of a new file, or of a '
        'face identity to replace'
      )


def export(output: str, config, state, dtype: str) -> str:
  """Writes the weights of a training state; returns what they are."""
  del dtype  # float32 always
  step, dataset = int(state.step), config.data.dataset
  store.save(
    output,
    store.PROXY,
    state.params,
    convention.ARCFACE,
    source=f'{dataset} in {step} steps',
    verified_by=store.TRAINED,
    licence='that of the data',
  )
  return f'{store.PROXY} after {step} steps on {dataset}'
