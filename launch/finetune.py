r"""Fine-tunes a model of the paper's generator on a few photographs.

  python -m launch.finetune --model=models/a --source=photos/ \
      --output=people/me
  python -m launch.finetune --model=models/a --source=clip.mp4 --num_shots=8 \
      --output=people/me
  python -m launch.finetune --model=models/a --source=photos/ann \
      --source=photos/bob --output=people

--source takes an image, a video, or a folder of either. You are asked whether
you may animate the person. Several --source make several people, in folders
below --output; if one fails, the others are still made, and the exit code is 2.
An earlier person of the same name is replaced when the new one is complete;
nothing else is overwritten. The default of launch.animate --source moves the
photographs with a bi-layer model, which is not fine-tuned; docs/animation.md
says why.
"""

import dataclasses
import os

from absl import flags

from flaxheads.config import FinetuneConfig
from flaxheads.errors import UserError, check_range

from . import _config_flags, _consent, _logs, _malloc, _outputs, app

_MODEL = flags.DEFINE_string(
  'model', None, "Model folder of the paper's generator."
)
_SOURCE = flags.DEFINE_multi_string(
  'source', [], 'Photographs or a video of one person.'
)
_NUM_SHOTS = flags.DEFINE_integer(
  'num_shots',
  None,
  'Frames to use of --source (T), evenly spread. Default: at most 32.',
)
_FACE = flags.DEFINE_integer(
  'face',
  None,
  'Which face to use where an image shows several, from the left, from 0.',
)
_LANDMARKS = flags.DEFINE_string(
  'landmarks', None, 'Landmark file (.npz) of --source, instead of detection.'
)
_OUTPUT = flags.DEFINE_string('output', None, 'Person folder to write.')
_SEED = flags.DEFINE_integer('seed', 0, 'Seed of the order of frames.')
_NUM_STEPS = flags.DEFINE_integer(
  'num_steps', None, 'Number of steps. Default: chosen by validation.'
)
_config_flags.define_config(
  'finetune', FinetuneConfig(), "Fields of fine-tuning. Default: the model's."
)
flags.adopt_module_key_flags(_consent)  # for --help


def _check_flags():
  app.check_given(_SOURCE, _OUTPUT)
  check_range('--seed', _SEED.value, 0)
  for flag in (_NUM_SHOTS, _NUM_STEPS):
    if flag.value is not None:
      check_range(f'--{flag.name}', flag.value, 1)
  if _LANDMARKS.value and len(_SOURCE.value) > 1:
    raise UserError('--landmarks belong to one --source; several are given')


def _config(model):
  config = _config_flags.override('finetune', model.experiment.finetune)
  if _NUM_STEPS.value is None:
    return config
  return dataclasses.replace(
    config,
    min_steps=_NUM_STEPS.value,
    max_steps=_NUM_STEPS.value,
  )


def _finetune(model, config, source, output, consent):
  """One person."""
  from flaxheads import api
  from flaxheads.fewshot import folders
  from flaxheads.fewshot.person_folder import save_person

  folders.check_output(output, 'person')
  _outputs.warn_replaced(output)
  with _logs.progress_bar(desc='fine-tuning', unit=' steps') as bar:

    def show(progress):
      bar.total = progress.num_steps
      losses = {'loss': f'{progress.loss:.3f}', 'best': progress.best_step}
      bar.set_postfix(losses, refresh=False)
      bar.update(progress.step - bar.n)

    person = api.make_person(
      source,
      model=model,
      confirm_rights=consent,
      num_shots=_NUM_SHOTS.value,
      face=_FACE.value,
      landmarks=_LANDMARKS.value,
      config=config,
      seed=_SEED.value,
      on_progress=show,
    )
  save_person(output, person)
  print(
    f'{output}: a person from {person.info["num_shots"]} frame(s); kept step '
    f'{person.info["steps"]} of fine-tuning'
  )


def main():
  """Fine-tunes."""
  _malloc.make_gaps()
  _check_flags()
  from flaxheads.fewshot import folders
  from flaxheads.fewshot.model import load_direct_model

  output = os.path.expanduser(_OUTPUT.value)
  several = len(_SOURCE.value) > 1
  if not several:
    folders.check_output(output, 'person')
  elif os.path.isfile(output):
    raise UserError(f'--output={output}: is a file; give a folder for all')
  model = load_direct_model(_MODEL.value)
  config = _config(model)
  consent = {path: _consent.ask(path) for path in _SOURCE.value}

  def make(name, path):
    target = os.path.join(output, name) if several else output
    _finetune(model, config, path, target, consent[path])

  _outputs.for_each(_SOURCE.value, make)


if __name__ == '__main__':
  app.run(main)
