"""Sum pooling, then ReLU, trains as well as ReLU, then sum.

In E and V the paper sums over space before the ReLU; the authors' lab code does
so after it (`model.pooling`). Trains the 32² model of identity_separation with
the paper's L_DSC and batches of 4 in both orders from each of three
seeds: the same parameters, people and number of steps within a pair. Compares
the mean weighted content loss over the last quarter of the steps. Wanted: the
paper's order is behind by no more than twice the standard error over seeds.
Everything is in out/reproduce/pooling_order, which git ignores; an interrupted
training is resumed. NUM_STEPS=N in the environment changes the 600 steps.
"""

import json
import os
import statistics
from pathlib import Path

from launch import app
from tests.reproduce import _commands as commands
from tests.reproduce import identity_separation

_FOLDER = Path('out/reproduce/pooling_order')
_NUM_STEPS = int(os.environ.get('NUM_STEPS', 600))
_SEEDS = (0, 1, 2)


def _content_loss(pooling: str, seed: int) -> float:
  """Trains; returns the mean content loss of the last quarter."""
  run = _FOLDER / f'{pooling}_{seed}'
  commands.run(
    f'train --config=configs/synthetic_64.py --workdir={run}'
    f' --config.data.data_dir={_FOLDER}/data {identity_separation.MODEL}'
    f' --config.model.pooling={pooling} --config.seed={seed}'
    ' --config.loss.mismatch=0'
    f' --config.training.num_steps={_NUM_STEPS}'
    f' --config.optimizer.decay_steps={_NUM_STEPS // 2}'
    ' --config.training.batch_size=4 --config.training.log_every=10'
  )
  lines = (run / 'metrics.jsonl').read_text(encoding='utf-8').splitlines()
  rows = [json.loads(line) for line in lines]
  return statistics.mean(
    row['generator/content']
    for row in rows
    if 'generator/content' in row and row['step'] > 0.75 * _NUM_STEPS
  )


def main():
  """Renders, trains and prints the verdict."""
  identity_separation.render(_FOLDER / 'data')
  paper, lab = (
    [_content_loss(pooling, seed) for seed in _SEEDS]
    for pooling in ('sum_relu', 'relu_sum')
  )
  differences = [a - b for a, b in zip(paper, lab, strict=True)]
  behind = statistics.mean(differences)
  error = statistics.stdev(differences) / len(differences) ** 0.5
  for name, losses in (('sum, ReLU', paper), ('ReLU, sum', lab)):
    print(f'{name}: ' + ', '.join(f'{loss:.3f}' for loss in losses))
  claim = (
    f'content loss of sum, then ReLU less that of ReLU, then sum: {behind:.3f},'
    f' standard error {error:.3f} over {len(_SEEDS)} seeds'
  )
  commands.conclude([(claim, behind <= 2 * error)])


if __name__ == '__main__':
  app.run(main)
