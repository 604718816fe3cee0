"""Two equal short trainings: earlier settings of the method, and today's.

The same seed, 64 rendered people and number of steps. Both models then meet 20
rendered people and, where FLAXHEADS_REAL_CLIPS is set, six real ones that they
never saw, at T = 1, 8, 32 (`make weights` for LPIPS and SFace). Prints today's
results less the earlier ones, mean over people and its standard error. Wanted,
at T = 8: no metric significantly worse. Models as small as these say
nothing about real people in absolute terms, and fine-tuning is shorter than
usual. Everything is in out/reproduce/short_trainings, which git ignores; an
interrupted command is resumed. In the environment, NUM_STEPS=N changes the
1,000 steps of training, PEOPLE=N the 64 people, SEED=N the seed of both, TODAY
adds flags to the training with today's settings, and FLAGS to the evaluation.

Last it prints PSNR inside and outside the face for 20 people of the training
and the 20 others, T = 8, feed-forward: it says which part of the frame differs.
"""

import os
from pathlib import Path

import numpy as np

from flaxheads import fewshot
from flaxheads.data import pipeline, records
from flaxheads.evaluation import splits
from flaxheads.fewshot.model import load_direct_model
from flaxheads.fewshot.person import animate
from flaxheads.metrics import image
from flaxheads.metrics.landmark_error import face_mask
from flaxheads.weights import store
from launch import app
from tests.reproduce import _commands as commands
from tests.reproduce import identity_separation, real_people, synthetic_people

_FOLDER = Path('out/reproduce/short_trainings')
_NUM_STEPS = int(os.environ.get('NUM_STEPS', 1000))
_PEOPLE = int(os.environ.get('PEOPLE', 64))
_SEED = int(os.environ.get('SEED', 0))
_DATA = _FOLDER / f'data_{_PEOPLE}'
_MODELS = _FOLDER / f'people_{_PEOPLE}_seed_{_SEED}_steps_{_NUM_STEPS}'
_MORE = os.environ.get('FLAGS', '')
_SETTINGS = {
  'earlier': (
    '--config.model.pooling=relu_sum --config.loss.match=10'
    ' --config.loss.mismatch=0 --config.identity_table.initial_size=0.02'
    ' --config.identity_table.learning_rate=4e-4'
    ' --config.identity_table.real_score_only=False'
  ),
  'today': '--config.loss.mismatch=1 ' + os.environ.get('TODAY', ''),
}
_FINETUNE = (
  '--finetune.min_steps=40 --finetune.max_steps=60 --finetune.batch_size=4'
  ' --finetune.holdout_fraction=0'
)
_SIGNS = {
  'psnr': 1,
  'psnr_face': 1,
  'ssim': 1,
  'lpips': -1,
  'csim_sface': 1,
  'nme': -1,
  'failure_rate': -1,
}


def _train(name: str) -> None:
  run = _MODELS / 'runs' / name
  commands.run(
    f'train --config=configs/synthetic_64.py --workdir={run}'
    f' --config.data.data_dir={_DATA} {identity_separation.MODEL}'
    f' --config.model.image_size=64 {_SETTINGS[name]}'
    f' --config.training.num_steps={_NUM_STEPS} --config.seed={_SEED}'
  )
  commands.run(f'export --workdir={run} --output={_MODELS}/models/{name}')


def _evaluate(name: str, kind: str, people: str) -> commands.Rows:
  # The baselines know no model, so that the first evaluation has them.
  methods = 'nearest,warp,ff,ft' if name == 'earlier' else 'ff,ft'
  output = _MODELS / 'evaluation' / f'{kind}_{name}'
  commands.run(
    f'evaluate --model={_MODELS}/models/{name} {people} {_FINETUNE}'
    f' --num_shots=1,8,32 --num_test_frames=8 --methods={methods}'
    f' --sface={store.default_path("sface")}'
    f' --lpips={store.default_path("lpips_vgg")} --split_clip=halves'
    f' --nocross --study_triplets=0 --output={output} {_MORE}'
  )
  return commands.read_rows(output / 'report.json')


def _compare(kind: str, people: str) -> list[tuple[str, bool]]:
  """Evaluates both models; prints and checks the differences."""
  before, after = (_evaluate(name, kind, people) for name in _SETTINGS)
  checks = []
  for key in (key for key in after if key[0] in ('ff', 'ft')):
    for metric, sign in _SIGNS.items():
      pairs = [
        (row[metric], before[key][person][metric])
        for person, row in after[key].items()
      ]
      pairs = [pair for pair in pairs if None not in pair]  # a face in both
      difference = np.array([a - b for a, b in pairs])
      error = difference.std(ddof=1) / len(difference) ** 0.5
      mean = difference.mean()
      claim = (
        f'{kind}, {key[0]}, T={key[1]}, {metric}: {mean:+.4f}, standard error'
        f' {error:.4f} ({len(pairs)} people)'
      )
      if key[1] == 8:
        checks.append((claim, sign * mean >= -2 * error))
      else:
        print(claim)
  return checks


def _inside_and_outside(name: str, data_dir: Path, part: str) -> np.ndarray:
  """PSNR in the face and outside, mean over at most 20 people: [2], dB."""
  model = load_direct_model(f'{_MODELS}/models/{name}')
  source = pipeline.make_source('synthetic_heads', data_dir, part)
  found = []
  for record in map(source.__getitem__, range(min(20, len(source)))):
    count, size = int(record['num_frames']), model.config.image_size
    frames, points = records.decode_frames(record, range(count), size)
    split = splits.split_clip(count, 'halves', num_test_frames=8)
    support = splits.choose_support(split, 8, name)
    person = fewshot.feed_forward(model, frames[support], points[support])
    made = animate(person, points[split.test]) / np.float32(255)
    real = frames[split.test] / np.float32(255)
    face = face_mask(points[split.test], size)
    found.append(
      [image.psnr(made, real, mask).mean() for mask in (face, ~face)]
    )
  return np.mean(found, 0)


def main():
  """Renders, trains, evaluates and prints the verdict."""
  identity_separation.render(_DATA, _PEOPLE)
  synthetic_people.render(_FOLDER / 'people', 20)
  for name in _SETTINGS:
    _train(name)
  checks = []
  if real := os.environ.get('FLAXHEADS_REAL_CLIPS'):
    checks += _compare('real', real_people.held_out_flags(real))
  checks += _compare(
    'synthetic',
    f'--dataset=synthetic_heads --data_dir={_FOLDER}/people --split=test',
  )
  for data_dir, split in ((_DATA, 'train'), (_FOLDER / 'people', 'test')):
    for name in _SETTINGS:
      face, outside = _inside_and_outside(name, data_dir, split)
      print(f'{split}, {name}: face {face:.2f} dB, outside {outside:.2f} dB')
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
