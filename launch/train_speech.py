r"""Trains the network from speech to the mouth, on speech that programs speak.

  apt install flite
  python -m launch.train_speech \
      --output=flaxheads/speech/mouth_network.safetensors

Needs no recordings and no faces. The default makes what is part of the package.
"""

import numpy as np
from absl import flags

from flaxheads.data.output_files import check_writable
from flaxheads.errors import check_range

from . import _logs, app

_OUTPUT = flags.DEFINE_string('output', None, 'The .safetensors to write.')
_UTTERANCES = flags.DEFINE_integer('utterances', 1000, 'Texts spoken.')
_STEPS = flags.DEFINE_integer('steps', 2500, 'Updates, of 12 x 2.56 s each.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of texts, voices and parameters.')


def main():
  """Has texts spoken, trains, and writes the parameters."""
  app.check_given(_OUTPUT)
  check_range('--utterances', _UTTERANCES.value, 1)
  check_range('--steps', _STEPS.value, 1)
  from pathlib import Path

  from flaxheads.speech import training, voices
  from flaxheads.weights.tensors import save_tree

  output = Path(_OUTPUT.value).expanduser()
  check_writable(output.resolve().parent)
  voices.check_installed()
  examples = training.make_examples(
    training.read_sentences(),
    _UTTERANCES.value,
    _SEED.value,
    lambda count: _logs.progress_bar(range(count), 'speaking', unit=' texts'),
  )
  losses = []
  params = training.train(
    examples,
    _STEPS.value,
    _SEED.value,
    lambda count: _logs.progress_bar(range(count), 'training', unit=' steps'),
    losses.append,
  )
  save_tree(str(output), training.to_float16(params))
  seconds = sum(len(example.mouth) for example in examples) / 50
  print(
    f'{output}: after {len(losses)} steps on {seconds / 60:.0f} minutes of '
    f'speech, loss {np.mean(losses[-100:]):.4f}'
  )


if __name__ == '__main__':
  app.run(main)
