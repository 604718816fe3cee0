r"""Trains the network from speech to the mouth.

On speech that programs speak, which needs no recordings and no faces. The
default is the recipe of the package's own parameters; that it gives as good
ones is not yet measured:

  apt install flite
  python -m launch.train_speech \
      --output=flaxheads/speech/mouth_network.safetensors

On videos of people who speak, with their sound; they are prepared once, in a
folder that a second run finds again. --utterances=0 omits synthetic speech:

  python -m launch.train_speech --clips=videos/ --data_dir=speech_data \
      --utterances=0 --output=mouth.safetensors
"""

from pathlib import Path

import numpy as np
from absl import flags

from flaxheads.data.output_files import check_writable
from flaxheads.errors import UserError, check_range

from . import _logs, app

_OUTPUT = flags.DEFINE_string('output', None, 'File to write (.safetensors).')
_UTTERANCES = flags.DEFINE_integer(
  'utterances', 1000, 'Number of texts that flite speaks.'
)
_CLIPS = flags.DEFINE_string(
  'clips', None, 'Folder of videos of people who speak, to prepare.'
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder of prepared videos; --clips are written there.'
)
_STEPS = flags.DEFINE_integer(
  'steps', 2500, 'Training steps, on 12 x 2.88 s of speech each.'
)
_SEED = flags.DEFINE_integer('seed', 0, 'Seed of texts, voices and parameters.')


def _bar(text, unit):
  return lambda items: _logs.progress_bar(items, text, unit=unit)


def _recorded():
  """Examples of --clips and --data_dir."""
  from flaxheads.speech import recordings

  if not _DATA_DIR.value:
    if _CLIPS.value:
      raise UserError(
        '--data_dir is missing: the folder for the prepared --clips'
      )
    return []
  folder = Path(_DATA_DIR.value).expanduser()
  if _CLIPS.value:
    app.check_folder('data_dir', _DATA_DIR.value)
    outcome = recordings.prepare(
      Path(_CLIPS.value).expanduser(),
      folder,
      count_to=_bar('preparing', ' videos'),
    )
    for name, what in outcome.items():
      print(f'{name}: {what}')
  return recordings.load_examples(folder)


def _spoken():
  """Examples of speech that programs speak."""
  from flaxheads.speech import training

  return training.make_examples(
    training.read_sentences(),
    _UTTERANCES.value,
    _SEED.value,
    lambda count: _bar('speaking', ' texts')(range(count)),
  )


def main():
  """Prepares videos, has texts spoken, trains, and writes the parameters."""
  app.check_given(_OUTPUT)
  check_range('--utterances', _UTTERANCES.value, 0)
  check_range('--steps', _STEPS.value, 1)
  from flaxheads.speech import training, voices
  from flaxheads.weights.tensors import save_tree

  output = Path(_OUTPUT.value).expanduser()
  check_writable(output.resolve().parent)
  if _UTTERANCES.value:
    voices.check_installed()
  examples = [*_recorded(), *(_spoken() if _UTTERANCES.value else [])]
  if not examples:
    raise UserError(
      '--utterances=0 without --data_dir: nothing to train on; give one'
    )
  losses = []
  params = training.train(
    examples,
    _STEPS.value,
    _SEED.value,
    lambda count: _bar('training', ' steps')(range(count)),
    losses.append,
  )
  save_tree(str(output), training.to_float16(params))
  seconds = sum(len(example.mouth) for example in examples) / 50
  print(
    f'{output}: after {len(losses)} steps on {seconds / 60:.1f} minutes of '
    f'speech, loss {np.mean(losses[-100:]):.4f}'
  )


if __name__ == '__main__':
  app.run(main)
