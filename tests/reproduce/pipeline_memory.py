"""The memory of the pipeline's workers is flat over ten minutes.

Reads batches at K = 8 and 256² as fast as they come, prints the resident
memory of the workers and of this process each minute, and asks that the
workers' has grown by less than a twentieth since the end of the first minute.
"""

import time
from pathlib import Path

import psutil
from absl import flags

from flaxheads.errors import check_range
from launch import app
from tests.reproduce import _commands as commands

_NUM_SUPPORT, _IMAGE_SIZE = 8, 256

_DATASET = flags.DEFINE_string(
  'dataset', 'synthetic_heads', 'A prepared dataset with frames of 256².'
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', '', 'Where it is; empty: synthetic heads are rendered first.'
)
_MINUTES = flags.DEFINE_float('minutes', 10, 'How long, at least 2.')
_WORKERS = flags.DEFINE_integer('num_workers', 2, 'Decoding processes.')
_BATCH = flags.DEFINE_integer('batch_size', 8, 'Samples of a batch.')
_MOST = 1.05
_RENDERED = 'out/reproduce/pipeline/data'


def _find() -> tuple[str, str]:
  """Name and folder of the dataset, which is rendered unless one is given."""
  if _DATA_DIR.value:
    return _DATASET.value, str(Path(_DATA_DIR.value).expanduser())
  commands.run(
    f'prepare --dataset=synthetic_heads --data_dir={_RENDERED} '
    '--num_identities=24 --num_test_identities=0 --clips_per_identity=1 '
    '--num_frames=16 --fps=4 --image_size=256'
  )
  return 'synthetic_heads', _RENDERED


def _megabytes(processes) -> list[float]:
  return [process.memory_info().rss / 2**20 for process in processes]


def main():
  """Reads, prints and concludes."""
  from flaxheads.data import pipeline

  check_range('--minutes', _MINUTES.value, 2)
  check_range('--num_workers', _WORKERS.value, 1)
  source = pipeline.make_source(*_find(), 'train')
  batches = pipeline.sample_iterator(
    source,
    num_support=_NUM_SUPPORT,
    batch_size=_BATCH.value,
    image_size=_IMAGE_SIZE,
    seed=0,
    num_workers=_WORKERS.value,
  )
  next(batches)
  this = psutil.Process()
  began, read, table = time.monotonic(), 0, []
  while len(table) < _MINUTES.value:
    next(batches)
    read += _BATCH.value
    if time.monotonic() - began < 60 * (len(table) + 1):
      continue
    workers = _megabytes(this.children(recursive=True))
    table.append(sum(workers))
    each = ' + '.join(f'{size:.0f}' for size in workers)
    print(
      f'minute {len(table)}: {read} samples, workers {each} ='
      f' {sum(workers):.0f} MB, this process {_megabytes([this])[0]:.0f} MB',
      flush=True,
    )
  batches.close()
  growth = max(table[1:]) / table[0]
  claim = (
    f'workers at most {growth:.3f} times what they had after a minute, over'
    f' {len(table)} minutes and {read} samples'
  )
  commands.conclude([(claim, growth < _MOST)])


if __name__ == '__main__':
  app.run(main)
