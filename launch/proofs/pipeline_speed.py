"""Samples per second and core of the pipeline, beside a PyTorch DataLoader.

K = 8 at 256²: nine random frames of a video and their points. Ours reads
ArrayRecord, PyTorch's the same JPEG bytes as files, each with and without a
worker process, all of them pinned to one core and timed in turns. Prints
medians and the spread between the quartiles, by the clock and by the core's
own time, which other work on the machine does not reach, and the ratio of the
better ones. Ours parses a whole record, 64 frames, to decode nine of them;
the other opens nine files.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from absl import flags

from flaxheads.errors import UserError, check_range
from launch import app
from launch.proofs import _records256 as records256

_TORCH = flags.DEFINE_string(
  'torch_python', '', 'A Python that has torch; empty: ours alone.'
)
_ROUNDS = flags.DEFINE_integer('rounds', 9, 'Timings of each.')
_BATCHES = flags.DEFINE_integer('num_batches', 12, 'Batches of a timing.')
_BATCH = flags.DEFINE_integer('batch_size', 8, 'Samples of a batch.')
_FILES = Path('out/proofs/pipeline/jpeg')


def _write_files(dataset: str, data_dir: str) -> None:
  """The frames of the records, byte for byte, as files."""
  from flaxheads.data import pipeline

  shutil.rmtree(_FILES, ignore_errors=True)
  for index, record in enumerate(
    pipeline.make_source(dataset, data_dir, 'train')
  ):
    if int(record['image_size']) != records256.IMAGE_SIZE:
      raise UserError(f'--data_dir={data_dir}: frames of 256² are needed')
    folder = _FILES / f'{index:06d}'
    folder.mkdir(parents=True)
    for number, data in enumerate(record['frames']):
      (folder / f'{number:04d}.jpg').write_bytes(data)
    np.save(folder / 'points.npy', record['points'])


def _start(python: str, module: str, *arguments):
  core = min(os.sched_getaffinity(0))
  words = [python, '-m', f'launch.proofs.{module}']
  process = subprocess.Popen(
    [*words, *map(str, arguments), str(core)],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )
  facts = process.stdout.readline()
  if not facts:
    raise UserError(f'{" ".join(words)} did not start; its error is above')
  return process, json.loads(facts)


def _ask(process) -> dict[str, float]:
  """Samples per second of one timing, by the clock and by CPU time."""
  process.stdin.write(f'{_BATCHES.value}\n')
  process.stdin.flush()
  seconds = json.loads(process.stdout.readline())
  count = _BATCHES.value * _BATCH.value
  return {clock: count / spent for clock, spent in seconds.items()}


def _start_all(dataset, data_dir):
  sides = {}
  for workers in (0, 1):
    sides['ours', workers] = _start(
      sys.executable, '_serve_grain', dataset, data_dir, workers, _BATCH.value
    )
    if _TORCH.value:
      sides['PyTorch', workers] = _start(
        _TORCH.value, '_serve_torch', _FILES, workers, _BATCH.value
      )
  means = [facts['mean'] for _, facts in sides.values()]
  if max(means) - min(means) > 1:
    raise RuntimeError(f'the sides decode different pictures: {means}')
  return sides


def _report(timings, sides) -> dict[tuple[str, str], float]:
  """Prints all; returns the best median of each side by the core's time."""
  best = {}
  for (side, workers), timed in timings.items():
    texts = []
    for clock in ('wall', 'cpu'):
      low, middle, high = statistics.quantiles([t[clock] for t in timed], n=4)
      best[side, clock] = max(middle, best.get((side, clock), 0))
      texts.append(f'{middle:.1f} ({low:.1f} to {high:.1f}) per {clock} second')
    decoder = sides[side, workers][1]['decoder']
    print(f'{side}, {workers} workers, {decoder}: samples {", ".join(texts)}')
  return best


def main():
  """Times all sides in turns."""
  check_range('--rounds', _ROUNDS.value, 2)
  check_range('--num_batches', _BATCHES.value, 1)
  dataset, data_dir = records256.find()
  _write_files(dataset, data_dir)
  sides = _start_all(dataset, data_dir)
  timings = {key: [] for key in sides}
  try:
    for _ in range(_ROUNDS.value):
      for key, (process, _) in sides.items():
        timings[key].append(_ask(process))
  finally:
    for process, _ in sides.values():
      process.stdin.close()
      process.wait()
  best = _report(timings, sides)
  if _TORCH.value:
    ours, theirs = best['ours', 'cpu'], best['PyTorch', 'cpu']
    print(
      f'{ours:.1f} samples a core-second, PyTorch {theirs:.1f}:'
      f' {ours / theirs:.2f} times as many'
    )


if __name__ == '__main__':
  app.run(main)
