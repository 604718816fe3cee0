"""The paper's table with all methods: what its two proofs share.

Whatever is there already is gone on with, so that a proof can be interrupted.
CSIM needs ArcFace's weights, which cannot be shipped; a network that was
trained to tell synthetic people apart stands in, and every table says so.
"""

from pathlib import Path

import numpy as np

from tests.reproduce import _commands as commands

FOLDER = Path('out/reproduce/paper_table')
SYNTHETIC = FOLDER / 'synthetic'
METHODS = ('nearest', 'warp', 'x2face', 'pix2pixhd', 'ff', 'ft')
COMPARATORS = ('x2face', 'pix2pixhd')
_IDENTITY = SYNTHETIC / 'models' / 'identity.safetensors'
_CSIM = 'csim_proxy_weights'


def prepare_synthetic() -> None:
  """Renders the training records: 700 people."""
  commands.run(
    f'prepare --dataset=synthetic_heads --data_dir={SYNTHETIC}/data '
    '--num_identities=700 --num_test_identities=8 --clips_per_identity=1 '
    '--num_frames=16 --num_test_frames=16 --fps=4 --image_size=64'
  )


def train(config: str, folder: Path, name: str, more='', suffix='') -> None:
  """Trains by a config on the records in folder/data, and exports.

  Args:
    config: a name of configs/.
    folder: of the proof.
    name: of the run.
    more: flags.
    suffix: of the export, which is folder/models/name and this.
  """
  commands.run(
    f'train --config=configs/{config}.py --workdir={folder}/{name} '
    f'--config.data.data_dir={folder}/data {more}'
  )
  output = f'{folder}/models/{name}{suffix}'
  commands.run(f'export --workdir={folder}/{name} --output={output}')


def train_identity() -> None:
  """The network that stands in for ArcFace."""
  train('face_identity_64', SYNTHETIC, 'identity', suffix='.safetensors')


def evaluate(folder: Path, people: str) -> commands.Rows:
  """The whole table into folder/evaluation.

  Args:
    folder: of the proof, with the exported models.
    people: flags that say which model and which people.

  Returns:
    Rows of every person's own motion.
  """
  compared = ' '.join(f'--{n}={folder}/models/{n}' for n in COMPARATORS)
  commands.run(
    f'evaluate {people} --num_shots=1,8,32 --methods={",".join(METHODS)} '
    f'{compared} --arcface={_IDENTITY} --split_clip=halves '
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
