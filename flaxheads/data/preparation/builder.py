"""The Apache Beam pipeline that prepares videos, inside a tfds builder.

A subclass lists the videos of its dataset (`VideoBuilder.list_jobs`);
everything else is here. Beam maps `process` over shards of jobs, on one machine
or on many. tensorflow-datasets then writes what the shards hold.
"""

import dataclasses
import functools
import os

import apache_beam as beam
import tensorflow_datasets as tfds
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import fn_runner

from flaxheads.data import records
from flaxheads.data.preparation import report, shards
from flaxheads.data.preparation.guard import Worker
from flaxheads.data.preparation.job import Job, Options
from flaxheads.data.preparation.resumable import ResumableBuilder


class _Process(beam.DoFn):
  """Maps a shard to its name once its result is on disk."""

  def __init__(self, folder, options):
    self._folder = folder
    self._options = options

  def setup(self):
    self._worker = Worker(self._options)

  def process(self, shard):
    shard = shards.from_json(shard)
    if not shards.is_done(self._folder, shard):
      shards.write(self._folder, shard, self._worker, report.announce)
    yield shard.name

  def teardown(self):
    self._worker.close()


class VideoBuilder(ResumableBuilder, skip_registration=True):
  """Base of the datasets made of videos.

  Finished parts are shards of videos; see ResumableBuilder.
  `report.json`, `kept.png` and `dropped.png` in it show what was kept and
  dropped, and why.
  """

  options_class = Options

  def __init__(self, *, options: Options, pipeline_options=None, **kwargs):
    """Makes a builder.

    Args:
      options: an `options_class`.
      pipeline_options: Apache Beam's; None: one process of this machine.
      **kwargs: as for `tfds.core.DatasetBuilder`.
    """
    self.options = options
    self._pipeline_options = pipeline_options or local_options(1)
    super().__init__(file_format='array_record', **kwargs)

  def list_jobs(self) -> list[Job]:
    """All videos, each with its split."""
    raise NotImplementedError

  @functools.cached_property
  def jobs(self) -> list[Job]:
    """All videos; cached, because listing VoxCeleb2 takes minutes."""
    return self.list_jobs()

  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      description='Frames and 68 landmarks of videos of faces.',
      features=records.features(),
    )

  def _split_generators(self, dl_manager):
    del dl_manager
    self._shards = shards.plan(self.jobs, self.options)
    self._announce_done()
    self._run()
    self._report = self._make_report()
    report.check_kept(self._report)
    splits = sorted({job.split for job in self.jobs})
    return {split: self._generate_examples(split) for split in splits}

  def _announce_done(self):
    for shard in self._shards:
      if shards.is_done(self.work_folder, shard):
        for outcome in shards.read_outcomes(self.work_folder, shard):
          report.announce(outcome)

  def _run(self):
    folder = os.fspath(self.work_folder)
    left = [s for s in self._shards if not shards.is_done(folder, s)]
    if not left:
      return
    with beam.Pipeline(
      runner=_runner(self._pipeline_options), options=self._pipeline_options
    ) as pipeline:
      _ = (
        pipeline
        | 'Shards' >> beam.Create([shards.to_json(shard) for shard in left])
        | 'Process' >> beam.ParDo(_Process(folder, self.options))
      )

  def _outcomes(self):
    for shard in self._shards:
      yield from shards.read_outcomes(self.work_folder, shard)

  def _make_report(self):
    tally = report.new_tally()
    for outcome in self._outcomes():
      report.add(tally, outcome, self.options.source)
    return report.summary(tally, self.name, dataclasses.asdict(self.options))

  def _generate_examples(self, split):
    features = records.features()
    for shard in self._shards:
      kept = shards.read_records(self.work_folder, shard, split)
      for outcome, record in kept:
        yield outcome.video_id, features.deserialize_example_np(record)

  def _download_and_prepare(self, dl_manager, download_config):
    super()._download_and_prepare(dl_manager, download_config)
    report.write_report(self.data_path, self._report)
    report.write_pages(self.data_path, self._outcomes())


def _runner(options):
  """Beam's runner; by default the direct one, in this process.

  For the name 'DirectRunner' Beam would first try to download another program
  (Prism).
  """
  name = options.get_all_options().get('runner')
  return fn_runner.FnApiRunner() if name in (None, 'DirectRunner') else name


def local_options(num_workers: int) -> PipelineOptions:
  """Beam's options for `num_workers` processes of this machine.

  A thread of Beam's direct runner feeds each process (see guard.Worker).
  """
  return PipelineOptions(
    [
      f'--direct_num_workers={num_workers}',
      '--direct_running_mode=multi_threading',
    ]
  )


def beam_options(given: list[str]) -> PipelineOptions:
  """Beam's options as the user writes them, such as 'runner=FlinkRunner'."""
  return PipelineOptions([f'--{each}' for each in given])
