"""From records to batches of K+1 frames, with grain.

Everything is random access: batch s depends on the seed and s alone. Resuming
needs no saved iterator, and the number of workers changes only the speed.
"""

import contextlib
import functools
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterator

import grain
import numpy as np
import tensorflow_datasets as tfds

from flaxheads.data import dataset_info, episodes, mixture
from flaxheads.data.batch import Batch
from flaxheads.data.preparation.report import read_report
from flaxheads.errors import UserError, check_range

_MAX_THREADS = 8
_MAX_STEPS = 2**31


def find_dataset(dataset: str, data_dir) -> pathlib.Path | None:
  """The folder of the newest version of a prepared dataset, or None."""
  folder = pathlib.Path(data_dir).expanduser() / dataset
  versions = [
    path
    for path in folder.glob('*/')
    if re.fullmatch(r'\d+\.\d+\.\d+', path.name)
    and (path / 'dataset_info.json').is_file()
  ]
  newest = functools.partial(max, key=lambda p: [*map(int, p.name.split('.'))])
  return newest(versions) if versions else None


@contextlib.contextmanager
def _readable(what):
  # The libraries pass on any exception of their parsers.
  try:
    yield
  except Exception as error:
    reason = (str(error).splitlines() or [''])[0]
    raise UserError(
      f'{what}: cannot be read ({type(error).__name__}: {reason[:120]});'
      ' prepare the dataset again'
    ) from error


def _open(folder):
  """The reader of a prepared dataset, which may be untrusted."""
  dataset_info.check_dataset_info(folder)
  with _readable(folder):
    return tfds.builder_from_directory(str(folder))


class RecordSource:
  """Random access to the records of a split; opens files on first use.

  `source[i]` is record i as a dictionary, see `records.features()`.

  Raises:
    UserError: on construction or access, if a file cannot be read.
  """

  def __init__(self, folder, split: str):
    self.folder = str(folder)
    self.split = split
    splits = self._builder.info.splits
    if split not in splits:
      known = ', '.join(sorted(splits))
      raise UserError(f'{self.folder}: no split {split!r}; it has {known}')
    self._length = splits[split].num_examples

  @functools.cached_property
  def _builder(self):
    return _open(self.folder)

  @functools.cached_property
  def _records(self):
    return self._builder.as_data_source(split=self.split)

  def __getstate__(self):
    # Each worker process opens the files itself.
    opened = ('_builder', '_records')
    return {k: v for k, v in self.__dict__.items() if k not in opened}

  def __len__(self) -> int:
    return self._length

  def __getitem__(self, index: int) -> dict:
    with _readable(f'{self.folder}: record {index} of {self.split!r}'):
      return self._records[index]

  def fingerprint(self) -> str:
    """Equal for datasets with the same records."""
    split = self._builder.info.splits[self.split]
    facts = [list(split.shard_lengths), split.num_bytes, split.num_examples]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

  def fewest_frames(self):
    """(video id, number of frames) of the shortest video; None if unknown.

    Taken from the report of the preparation, which avoids reading all records.
    """
    report = read_report(self.folder)
    split = report.get('splits', {}).get(self.split, {})
    fewest = split.get('fewest_frames')
    return (fewest['video_id'], fewest['num_frames']) if fewest else None


def open_splits(dataset: str, data_dir) -> list[RecordSource]:
  """All splits of a prepared dataset, 'train' first.

  Raises:
    UserError: the dataset is not prepared, or cannot be read.
  """
  folder = find_dataset(dataset, data_dir)
  if folder is None:
    raise _not_prepared(dataset, data_dir)
  names = _open(folder).info.splits
  names = sorted(names, key=lambda name: (name != 'train', name))
  return [RecordSource(folder, name) for name in names]


def describe_source(source) -> dict:
  """What must not change when a run resumes, as JSON.

  The fingerprints of the parts are in the order of the config.
  """
  facts = {'num_videos': len(source)}
  parts = [part.records for part in mixture.as_mixture(source).parts]
  if all(hasattr(part, 'fingerprint') for part in parts):
    facts['fingerprint'] = '+'.join(part.fingerprint() for part in parts)
  return facts


def _not_prepared(name, data_dir):
  where = data_dir or 'data_dir'
  prepared = sorted(
    path.name
    for path in pathlib.Path(data_dir or '.').expanduser().glob('*/')
    if find_dataset(path.name, path.parent)
  )
  found = f', only {", ".join(prepared)}' if data_dir and prepared else ''
  # All other builders read videos.
  source = '' if name == 'synthetic_heads' else ' --source=VIDEOS'
  return UserError(
    f'{where}: holds no dataset {name!r}{found}; make it with python -m'
    f' launch.prepare --dataset={name}{source}'
    f' --data_dir={data_dir or "FOLDER"}'
  )


def make_source(dataset: str, data_dir, split: str) -> mixture.Mixture:
  """Opens one split of one or several prepared datasets.

  Args:
    dataset: a name, such as 'video_folder', or several names with weights; see
      `mixture.parse_mixture`.
    data_dir: the folder that `launch.prepare` wrote.
    split: 'train' or 'test'.

  Returns:
    The records of all datasets, in the given order.

  Raises:
    UserError: a dataset is not prepared, is empty or lacks the split, or
      `dataset` cannot be parsed.
  """
  parts = []
  for name, weight in mixture.parse_mixture(dataset).items():
    folder = find_dataset(name, data_dir)
    if folder is None:
      raise _not_prepared(name, data_dir)
    parts.append(mixture.Part(RecordSource(folder, split), weight))
  return mixture.Mixture(parts)


class _MakeBatch:
  """Maps a step to this shard's rows of its batch."""

  def __init__(self, episode_at, rows, batch_size):
    self._episode_at = episode_at
    self._rows = rows  # range within the global batch
    self._batch_size = batch_size

  def __call__(self, step: int) -> Batch:
    first = step * self._batch_size
    episodes = [self._episode_at[first + row] for row in self._rows]
    frames, points, video_index = zip(*episodes, strict=True)
    flat = np.stack([frame for episode in frames for frame in episode])
    return Batch(
      flat.reshape(len(frames), -1, *flat.shape[1:]),  # [B, K+1, S, S, 3]
      np.stack(points),
      np.stack(video_index),
    )


def sample_dataset(
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
  choose: episodes.FrameChoice = episodes.any_frames,
) -> grain.IterDataset:
  """An endless dataset of batches, reshuffled and resampled every epoch.

  The batch of a step is a function of seed and step alone. With several
  shards, each process gets its slice of the rows. Concatenated in order, the
  slices are the batch of a single process.

  Args:
    source: from `make_source`, or any sequence of records. The parts of a
      mixture are interleaved by their weights.
    num_support: K.
    batch_size: samples in a step, over all shards.
    image_size: side of the frames in pixels.
    seed: any non-negative integer.
    start_step: the first step to produce; the step at which a run resumes.
    num_workers: decoding processes; 0: threads of this process.
    shard_index: the slice of this process.
    num_shards: number of processes that share a batch.
    choose: picks the frames of a record.

  Returns:
    An endless grain dataset of `Batch` with batch_size / num_shards rows,
    decoded in advance.

  Raises:
    UserError: a video has fewer than K+1 frames, the source is empty, or
      batch_size is not a multiple of num_shards.
  """
  check_range('batch_size', batch_size, 1)
  check_range('num_support', num_support, 1)
  check_range('seed', seed, 0)
  if batch_size % num_shards:
    raise UserError(
      f'batch_size: {batch_size} is not a multiple of {num_shards} processes'
    )
  size = batch_size // num_shards
  rows = range(shard_index * size, (shard_index + 1) * size)
  episode_at = episodes.make_episodes(
    mixture.as_mixture(source), num_support, image_size, seed, choose
  )
  make_batch = _MakeBatch(episode_at, rows, batch_size)
  steps = grain.MapDataset.range(start_step, _MAX_STEPS).map(make_batch)
  # An element is a whole batch (85 MB at 256², K = 8 and 48 samples), so few of
  # them are prefetched.
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
  return batches


def sample_iterator(source, **kwargs) -> Iterator[Batch]:
  """An iterator over `sample_dataset`, with the same arguments."""
  return iter(sample_dataset(source, **kwargs))
