"""Batches from records on disk, on one core, beside a PyTorch DataLoader.

Each side reads in a process of its own, kept on the same core. Ours parses a
whole record, 64 frames, to decode K + 1 of them; the reference opens K + 1
files.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from flaxheads.data import pipeline, records
from flaxheads.data.preparation import report
from flaxheads.data.synthetic_heads import make_clip
from tests.benchmark import clock, remote
from tests.benchmark.sizes import Size

BATCH, NUM_BATCHES = 8, 24  # of one run
_VIDEOS, _FRAMES, _RENDERED = 8, 64, 16
_WARM_UP = 6  # batches before each run: more than lie in buffers


class _Clips(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Eight videos, all of the frames of one rendered head."""

  VERSION = tfds.core.Version('1.0.0')
  code_path = None
  name = 'clips'

  def __init__(self, side: int, **kwargs):
    self._side = side
    super().__init__(file_format='array_record', **kwargs)

  def _info(self):
    return tfds.core.DatasetInfo(builder=self, features=records.features())

  def _split_generators(self, dl_manager):
    return {'train': self._generate_examples()}

  def _generate_examples(self):
    frames, points = make_clip(0, 0, _RENDERED, self._side)
    places = np.arange(_FRAMES) % _RENDERED
    for video in range(_VIDEOS):
      yield (
        video,
        records.make_record(
          frames[places],
          points[places],
          np.arange(_FRAMES) / 25,
          video_id=f'video{video}',
          identity_id=f'person{video}',
        ),
      )


class Folder:
  """The records, and their JPEG bytes as files, for as long as needed.

  Args:
    side: of the frames, pixels.
  """

  def __init__(self, side: int):
    self._folder = tempfile.TemporaryDirectory(prefix='flaxheads-benchmark-')
    self.root = Path(self._folder.name)
    report.build(_Clips(side, data_dir=self.root))
    source = pipeline.make_source('clips', self.root, 'train')
    for index, record in enumerate(source):
      folder = self.files / str(index)
      folder.mkdir(parents=True)
      for number, data in enumerate(record['frames']):
        (folder / f'{number:02d}.jpg').write_bytes(data)
      np.save(folder / 'points.npy', record['points'])

  @property
  def files(self) -> Path:
    """A folder for each video, with its JPEG files and points.npy."""
    return self.root / 'files'

  def close(self):
    """Removes everything."""
    self._folder.cleanup()


def pin() -> None:
  """Keeps this process, and all that it will start, on one core."""
  os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def timed(name: str, batches: Iterator) -> clock.Program:
  """A run that reads NUM_BATCHES of an endless iterator, its buffers empty."""

  def run() -> float:
    for _ in range(_WARM_UP):
      next(batches)
    began = time.perf_counter()
    for _ in range(NUM_BATCHES):
      next(batches)
    return time.perf_counter() - began

  return clock.Program(name, run, remote=True)


def _ours(data_dir, side: int, num_support: int) -> clock.Program:
  pin()
  batches = pipeline.sample_iterator(
    pipeline.make_source('clips', data_dir, 'train'),
    num_support=num_support,
    batch_size=BATCH,
    image_size=side,
    seed=0,
  )
  return timed('flaxheads', batches)


def ours(size: Size, folder: Folder) -> clock.Program:
  """As `launch.train` reads by default: threads, no worker process."""
  experiment = size.experiment
  return remote.program(
    _ours,
    folder.root,
    experiment.model.image_size,
    experiment.data.num_support,
  )


def references(size: Size, folder: Folder) -> Iterator[clock.Program]:
  """A DataLoader without and with a worker process."""
  from tests.benchmark.reference import loader  # needs PyTorch

  for workers in (0, 1):
    yield remote.program(
      loader.read, folder.files, workers, size.experiment.data.num_support
    )
