"""The full-size step trains on one GPU for fifteen minutes, and how fast.

Renders synthetic heads at 256², trains configs/h200_1.py on them in bfloat16
with the pyramid loss, and prints samples per second and MFU. On a machine
without a GPU it says so and ends.
"""

import json
import shutil
import time
from pathlib import Path

from absl import flags

from flaxheads.errors import UserError
from launch import app
from tests.reproduce import _commands as commands

_STEPS = flags.DEFINE_integer('num_steps', 1500, 'Training steps.')
_BATCH = flags.DEFINE_integer('batch_size', 48, 'Samples of a step.')
_IDENTITIES = flags.DEFINE_integer('num_identities', 200, 'Heads to render.')

_FOLDER = Path('out/reproduce/gpu_training')


def main():
  """Renders, trains and prints the figures."""
  import jax

  if jax.default_backend() != 'gpu':
    raise UserError(f'this proof needs a GPU; JAX sees {jax.default_backend()}')
  shutil.rmtree(_FOLDER / 'run', ignore_errors=True)
  commands.run(
    f'prepare --dataset=synthetic_heads --data_dir={_FOLDER}/data '
    f'--num_identities={_IDENTITIES.value} --num_test_identities=8 '
    '--clips_per_identity=1 --num_frames=16 --num_test_frames=16 --fps=4 '
    '--image_size=256'
  )
  began = time.monotonic()
  commands.run(
    f'train --config=configs/h200_1.py --workdir={_FOLDER}/run '
    '--config.data.dataset=synthetic_heads '
    f'--config.data.data_dir={_FOLDER}/data '
    f'--config.training.batch_size={_BATCH.value} '
    f'--config.training.num_steps={_STEPS.value} '
    '--config.training.checkpoint_every=500'
  )
  minutes = (time.monotonic() - began) / 60
  report = json.loads((_FOLDER / 'run' / 'report.json').read_text())
  print(json.dumps(report, indent=2))
  speed = report['samples_per_second']
  commands.conclude(
    [
      (
        f'{report["step"]} steps in {minutes:.1f} minutes, '
        f'{speed:.1f} samples/s, MFU {report.get("mfu", float("nan")):.1%}, '
        f'{report["share_waiting_for_data"]:.1%} of the time waiting for data',
        report['step'] == _STEPS.value,
      ),
      (
        f'pictures have {report["people/contrast"]:.0%} of the contrast and '
        f'{report["people/variety"]:.0%} of the variety of the real ones',
        report['people/contrast'] > 0.3 and report['people/variety'] > 0.3,
      ),
    ]
  )


if __name__ == '__main__':
  app.run(main)
