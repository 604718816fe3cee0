"""Records to batches of K+1 frames, with grain.

Everything is random access: what batch s holds follows from the seed and s
alone, so that resuming needs no saved iterator and the number of workers
changes nothing but speed.
"""

import functools
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import grain
import numpy as np
import tensorflow_datasets as tfds

from flaxheads.data import records
from flaxheads.data.preparation.report import read_report
from flaxheads.errors import UserError, check_range

_MAX_THREADS = 8
_MAX_STEPS = 2**31


class Batch(NamedTuple):
  """B samples of one video each; frame K is the target, the others support."""

  frames: np.ndarray  # uint8 RGB [B, K+1, S, S, 3]
  points: np.ndarray  # float32 [B, K+1, 68, 2], pixels
  video_index: np.ndarray  # int32 [B], index of the record in its split


def find_dataset(dataset: str, data_dir) -> pathlib.Path | None:
  """The folder of the newest version of a prepared data set, or None."""
  folder = pathlib.Path(data_dir).expanduser() / dataset
  versions = [
    path
    for path in folder.glob('*/')
    if re.fullmatch(r'\d+\.\d+\.\d+', path.name)
    and (path / 'dataset_info.json').is_file()
  ]
  newest = functools.partial(max, key=lambda p: [*map(int, p.name.split('.'))])
  return newest(versions) if versions else None


class RecordSource:
  """Random access to the records of a split; opens its files when used.

  `source[i]` is record i as a dictionary, see `records.features()`.
  """

  def __init__(self, folder, split: str):
    self.folder = str(folder)
    self.split = split
    builder = tfds.builder_from_directory(self.folder)
    if split not in builder.info.splits:
      there = ', '.join(sorted(builder.info.splits))
      raise UserError(f'{self.folder}: no split {split!r}; it has {there}')
    self._length = builder.info.splits[split].num_examples

  @functools.cached_property
  def _records(self):
    builder = tfds.builder_from_directory(self.folder)
    return builder.as_data_source(split=self.split)

  def __getstate__(self):
    # A worker process opens the files itself.
    return {k: v for k, v in self.__dict__.items() if k != '_records'}

  def __len__(self) -> int:
    return self._length

  def __getitem__(self, index: int) -> dict:
    return self._records[index]

  def fingerprint(self) -> str:
    """Says whether two data sets hold the same records."""
    split = tfds.builder_from_directory(self.folder).info.splits[self.split]
    facts = [list(split.shard_lengths), split.num_bytes, split.num_examples]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

  def fewest_frames(self):
    """(video id, frames) of the video with the fewest; None if not known.

    Preparation writes it down, for nobody wants to read a million records.
    """
    report = read_report(self.folder)
    split = report.get('splits', {}).get(self.split, {})
    fewest = split.get('fewest_frames')
    return (fewest['video_id'], fewest['num_frames']) if fewest else None


def describe_source(source) -> dict:
  """What must be the same when a run on these records goes on: JSON."""
  facts = {'num_videos': len(source)}
  if hasattr(source, 'fingerprint'):
    facts['fingerprint'] = source.fingerprint()
  return facts


def make_source(dataset: str, data_dir, split: str) -> RecordSource:
  """Opens one split of a prepared data set.

  Args:
    dataset: its name, such as 'video_folder'.
    data_dir: where `launch.prepare` put it.
    split: 'train' or 'test'.

  Returns:
    A source of records with a length.

  Raises:
    UserError: not prepared, or no such split.
  """
  folder = find_dataset(dataset, data_dir)
  if folder is None:
    raise UserError(
      f'{data_dir or "data_dir"}: holds no data set {dataset!r}; make it with'
      f' python -m launch.prepare --dataset={dataset}'
      f' --data_dir={data_dir or "FOLDER"}'
    )
  return RecordSource(folder, split)


def _too_few(video_id, num_frames, num_support):
  return UserError(
    f'{video_id}: has {num_frames} frames, but num_support={num_support} needs'
    f' {num_support + 1} different ones; lower num_support or prepare the data'
    f' set again with --min_frames={num_support + 1}'
  )


@functools.lru_cache(maxsize=2)  # a batch may straddle two epochs
def _order(seed, epoch, length):
  # Not grain's shuffle: on a few records that takes 6 ms for every index.
  return np.random.default_rng([seed, epoch]).permutation(length)


class _MakeBatch:
  """Step -> the rows of its batch that belong to this shard."""

  def __init__(self, source, num_support, image_size, seed, rows, batch_size):
    self._source = source
    self._num_support = num_support
    self._image_size = image_size
    self._seed = seed
    self._rows = rows  # range within the global batch
    self._batch_size = batch_size

  def _sample(self, position: int):
    epoch, place = divmod(position, len(self._source))
    index = int(_order(self._seed, epoch, len(self._source))[place])
    record = self._source[index]
    num_frames = int(record['num_frames'])
    if num_frames <= self._num_support:
      video_id = records.text(record['video_id'])
      raise _too_few(video_id, num_frames, self._num_support)
    # Drawn anew at every position, so in every epoch; without replacement,
    # so the target is none of the support frames.
    rng = np.random.default_rng([self._seed, position, 1])
    drawn = rng.choice(num_frames, self._num_support + 1, replace=False)
    frames, points = records.decode_frames(record, drawn, self._image_size)
    return frames, points, np.int32(index)

  def __call__(self, step: int) -> Batch:
    first = step * self._batch_size
    samples = [self._sample(first + row) for row in self._rows]
    return Batch(*map(np.stack, zip(*samples, strict=True)))


def sample_iterator(
  source,
  *,
  num_support: int,
  batch_size: int,
  image_size: int,
  seed: int,
  start_step: int = 0,
  num_workers: int = 0,
  shard_index: int = 0,
  num_shards: int = 1,
) -> Iterator[Batch]:
  """Batches for ever: shuffled in every epoch, frames drawn anew.

  The batch of a step is a function of seed and step alone. With shards, every
  process gets its slice of the rows, in order: concatenated they are the
  batch that a single process would get.

  Args:
    source: of `make_source`, or any sequence of records.
    num_support: K.
    batch_size: samples in a step, over all shards.
    image_size: side of the frames, pixels.
    seed: any non-negative integer.
    start_step: the first step to produce; resuming continues exactly.
    num_workers: decoding processes; 0: threads of this process.
    shard_index: which slice this process gets.
    num_shards: processes that share a batch.

  Returns:
    An infinite iterator of `Batch` with batch_size / num_shards rows.

  Raises:
    UserError: a video with fewer than K+1 frames, an empty source, or a
      batch that the shards cannot share evenly.
  """
  check_range('batch_size', batch_size, 1)
  check_range('num_support', num_support, 1)
  check_range('seed', seed, 0)
  if batch_size % num_shards:
    raise UserError(
      f'batch_size: {batch_size} is not a multiple of {num_shards} processes'
    )
  if not len(source):
    raise UserError('the data set is empty; prepare it from other videos')
  fewest = getattr(source, 'fewest_frames', lambda: None)()
  if fewest is not None and fewest[1] <= num_support:
    raise _too_few(*fewest, num_support)
  size = batch_size // num_shards
  rows = range(shard_index * size, (shard_index + 1) * size)
  make_batch = _MakeBatch(
    source, num_support, image_size, seed, rows, batch_size
  )
  steps = grain.MapDataset.range(start_step, _MAX_STEPS).map(make_batch)
  # A batch is one element, so a handful in flight is plenty; more only costs
  # memory (85 MB each at 256 x 256, K = 8 and 48 samples).
  threads = min(_MAX_THREADS, os.cpu_count() or 1)
  if num_workers:
    threads = 1
  batches = steps.to_iter_dataset(
    grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads + 1)
  )
  if num_workers:
    batches = batches.mp_prefetch(
      grain.MultiprocessingOptions(num_workers, per_worker_buffer_size=2)
    )
  return iter(batches)
