r"""Makes a person from a handful of pictures.

  python -m launch.finetune --source=photos/ --output=people/me
  python -m launch.finetune --source=clip.mp4 --num_shots=8 --output=people/me
  python -m launch.finetune --source=photos/ann --source=photos/bob \
      --output=people

--source is a picture, a video, or a folder of either; you are asked whether
you may animate who is shown. It may be given several times, once for each
person: then --output is a folder for all, with one below it for each. Where one
fails the others are made all the same, and the exit code is 2. An earlier
person of the same name is replaced when the new one is whole, and a line says
so; nothing else is overwritten. Without --model, the model that is shipped is
fine-tuned; it has seen synthetic heads only.
"""

import dataclasses
import os
import time

from absl import flags, logging

from flaxheads.config import FinetuneConfig
from flaxheads.errors import UserError, check_range
from launch import _memory, _replacing, _rights, _several, app

_MODEL = flags.DEFINE_string('model', None, 'Model folder; the shipped one.')
_SOURCE = flags.DEFINE_multi_string(
  'source', [], 'Pictures of one person; repeatable, for other people.'
)
_NUM_SHOTS = flags.DEFINE_integer(
  'num_shots', None, 'T, spread over the source; all that there are, up to 32.'
)
_FACE = flags.DEFINE_integer('face', None, 'Which face, from the left, from 0.')
_LANDMARKS = flags.DEFINE_string(
  'landmarks', None, 'An .npz file with the points of the source.'
)
_OUTPUT = flags.DEFINE_string('output', None, 'The person folder to write.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of the order of frames.')
_NUM_STEPS = flags.DEFINE_integer('num_steps', None, 'At most so many steps.')
app.define_config(
  'finetune', FinetuneConfig(), "Rates and lengths; the model's own."
)
flags.adopt_module_key_flags(_rights)  # for --help


def _check_flags():
  app.check_given(_SOURCE, _OUTPUT)
  check_range('--seed', _SEED.value, 0)
  for flag in (_NUM_SHOTS, _NUM_STEPS):
    if flag.value is not None:
      check_range(f'--{flag.name}', flag.value, 1)
  if _LANDMARKS.value and len(_SOURCE.value) > 1:
    raise UserError('--landmarks belong to one --source; several are given')


def _config(model):
  config = app.config_with_flags('finetune', model.experiment.finetune)
  if _NUM_STEPS.value is None:
    return config
  return dataclasses.replace(
    config,
    min_steps=min(config.min_steps, _NUM_STEPS.value),
    max_steps=_NUM_STEPS.value,
  )


def _finetune(model, config, examiner, source, output, rights):
  """One person."""
  from flaxheads import fewshot
  from flaxheads.data.support import load_support
  from flaxheads.fewshot import folders, suitability
  from flaxheads.fewshot.finetuning import num_finetuning_steps
  from flaxheads.provenance.examine import sha256_of

  folders.check_output(output, 'person')
  support = load_support(
    source,
    model.config.image_size,
    _NUM_SHOTS.value,
    face=_FACE.value,
    landmarks=_LANDMARKS.value,
  )
  _replacing.warn(output)
  unsuitable = suitability.remarks(support, source)
  for remark in unsuitable:
    logging.warning('%s', remark)
  began = time.perf_counter()
  steps = num_finetuning_steps(len(support.frames), config)
  with app.progress_bar(total=steps, desc='fine-tuning', unit=' steps') as bar:

    def show(progress: fewshot.Progress):
      losses = {'loss': f'{progress.loss:.3f}', 'best': progress.best_step}
      bar.set_postfix(losses, refresh=False)
      bar.update(progress.step - bar.n)

    person = fewshot.finetune(
      model,
      support.frames,
      support.points,
      config,
      _SEED.value,
      show,
      examiner,
    )
  info = {**person.info, 'source_sha256': sha256_of(source), **rights}
  person = dataclasses.replace(person, info=info, portrait=support.portrait)
  report = {
    'source': source,
    **person.info,
    'seconds': round(time.perf_counter() - began, 2),
    'remarks': support.remarks + unsuitable,
  }
  fewshot.save_person(output, person, report)
  print(
    f'{output}: a person from {len(support.frames)} frame(s); kept step '
    f'{person.info["steps"]} of fine-tuning'
  )


def main():
  """Fine-tunes."""
  _memory.make_holes()
  _check_flags()
  from flaxheads import fewshot
  from flaxheads.fewshot import folders

  output = os.path.expanduser(_OUTPUT.value)
  several = len(_SOURCE.value) > 1
  if not several:
    folders.check_output(output, 'person')
  elif os.path.isfile(output):
    raise UserError(f'--output={output}: is a file; give a folder for all')
  model = fewshot.load_model(_MODEL.value)
  config = _config(model)
  rights = {path: _rights.confirm(path) for path in _SOURCE.value}
  examiner = fewshot.make_examiner(model)

  def make(name, path):
    target = os.path.join(output, name) if several else output
    _finetune(model, config, examiner, path, target, rights[path])

  _several.each(_SOURCE.value, make)


if __name__ == '__main__':
  app.run(main)
