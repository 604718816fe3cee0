"""The paper's table with all methods: what its two scripts share.

Interrupted trainings and evaluations are resumed. Identity is measured with
SFace and LPIPS with VGG16, which `make weights` fetches.
"""

from pathlib import Path

import numpy as np

from flaxheads.weights import store
from tests.reproduce import _commands as commands

FOLDER = Path('out/reproduce/paper_table')
SYNTHETIC = FOLDER / 'synthetic'
METHODS = ('nearest', 'warp', 'x2face', 'pix2pixhd', 'ff', 'ft')
COMPARATORS = ('x2face', 'pix2pixhd')
_CSIM = 'csim_sface'


def prepare_synthetic() -> None:
  """Renders the training records: 700 people."""
  commands.run(
    f'prepare --dataset=synthetic_heads --data_dir={SYNTHETIC}/data '
    '--num_identities=700 --num_test_identities=8 --clips_per_identity=1 '
    '--num_frames=16 --num_test_frames=16 --fps=4 --image_size=64'
  )


def train(config: str, folder: Path, name: str, more='') -> None:
  """Trains by a config on the records in folder/data, and exports.

  Args:
    config: a name of configs/.
    folder: of the script.
    name: of the run; the export is folder/models/name.
    more: flags.
  """
  commands.run(
    f'train --config=configs/{config}.py --workdir={folder}/{name} '
    f'--config.data.data_dir={folder}/data {more}'
  )
  output = f'{folder}/models/{name}'
  commands.run(f'export --workdir={folder}/{name} --output={output}')


def evaluate(folder: Path, people: str) -> commands.Rows:
  """The whole table into folder/evaluation.

  Args:
    folder: of the script, with the exported models.
    people: flags that say which model and which people.

  Returns:
    Rows of every person in their own motion.
  """
  compared = ' '.join(f'--{n}={folder}/models/{n}' for n in COMPARATORS)
  commands.run(
    f'evaluate {people} --num_shots=1,8,32 --methods={",".join(METHODS)} '
    f'{compared} --sface={store.default_path("sface")} '
    f'--lpips={store.default_path("lpips_vgg")} --split_clip=halves '
    f'--output={folder}/evaluation'
  )
  return commands.read_rows(folder / 'evaluation' / 'report.json')


def check(rows: commands.Rows) -> list[tuple[str, bool]]:
  """Is the fine-tuned model ahead of both baselines at T = 8 and 32?"""
  checks = []
  for num_shots in (8, 32):
    for metric, title, sign in ((_CSIM, 'identity', 1), ('nme', 'NME', -1)):
      for other in COMPARATORS:
        pairs = [
          (row[metric], rows[other, num_shots][person][metric])
          for person, row in rows['ft', num_shots].items()
        ]
        whole = [pair for pair in pairs if None not in pair]  # a face in both
        ours, theirs = np.mean(whole, 0) if whole else (np.nan, np.nan)
        claim = (
          f'T={num_shots} {title}: ours {ours:.4f}, {other} {theirs:.4f} '
          f'({len(whole)} of {len(pairs)} people)'
        )
        checks.append((claim, sign * (ours - theirs) > 0))
  return checks
