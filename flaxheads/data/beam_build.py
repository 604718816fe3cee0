"""Videos to records as an Apache Beam pipeline inside a tfds builder.

A data set of videos names its videos (`VideoBuilder.jobs`); everything else
is here. What happens to one video is `process_video`, a plain function.
"""

import dataclasses
import os
from typing import NamedTuple

import apache_beam as beam
import tensorflow_datasets as tfds
from absl import logging
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import fn_runner

from flaxheads.data import clips, preparation, records
from flaxheads.errors import UserError
from flaxheads.landmarks.detect import make_detector

_OUTCOMES = 'outcomes'


class VideoJob(NamedTuple):
  """One video to prepare."""

  path: str
  video_id: str
  identity_id: str
  split: str


@dataclasses.dataclass(frozen=True)
class VideoOptions:
  """How a video becomes a record."""

  image_size: int = records.RECORD_SIZE
  max_frames: int = records.MAX_FRAMES
  min_frames: int = 2  # with a face; a support frame and a target


def process_video(job: VideoJob, options: VideoOptions, detector=None) -> dict:
  """Reads, crops and compresses one video.

  Args:
    job: which.
    options: how.
    detector: of faces; None makes the default one.

  Returns:
    Its record.

  Raises:
    UserError: not usable, and why.
  """
  clip = clips.load_clip(job.path, options.image_size, detector=detector)
  if len(clip.frames) < options.min_frames:
    raise UserError(
      f'{job.path}: {len(clip.frames)} frames with a face, but'
      f' min_frames={options.min_frames}'
    )
  return records.make_record(
    clip.frames,
    clip.points,
    clip.times,
    video_id=job.video_id,
    identity_id=job.identity_id,
    max_frames=options.max_frames,
  )


def attempt(job: VideoJob, options: VideoOptions, detector=None):
  """`process_video` that never raises: one bad file must not stop the rest.

  Returns:
    (record or None, Outcome).
  """
  named = (job.video_id, job.identity_id, job.split)
  try:
    record = process_video(job, options, detector)
    return record, preparation.Outcome(*named, record['num_frames'])
  except UserError as error:
    reason = str(error).replace(job.path, '').lstrip(': ')
  except Exception as error:  # a defect, or a library that broke on the file
    logging.exception('%s: unexpected failure', job.path)
    reason = f'unexpected {type(error).__name__}, see the log'
  return None, preparation.Outcome(*named, reason=reason)


class _Process(beam.DoFn):
  """VideoJob -> (video id, record) in its split, and an Outcome."""

  def __init__(self, options):
    self._options = options

  def setup(self):
    # One for all videos of this worker: it takes 60 ms to make.
    self._detector = make_detector()

  def process(self, job):
    record, outcome = attempt(job, self._options, self._detector)
    preparation.announce(outcome)
    yield beam.pvalue.TaggedOutput(_OUTCOMES, outcome)
    if record is not None:
      yield beam.pvalue.TaggedOutput(job.split, (job.video_id, record))


class _Tally(beam.CombineFn):
  """Outcomes -> tally."""

  def create_accumulator(self):
    return preparation.new_tally()

  def add_input(self, tally, outcome):
    return preparation.add(tally, outcome)

  def merge_accumulators(self, tallies):
    return preparation.merge(tallies)

  def extract_output(self, tally):
    return tally


def _write_report(tally, folder, dataset, options):
  report = preparation.summary(tally, dataset, options)
  preparation.write_report(folder, report)
  return True


def _after(example, done):
  del done
  return example


class VideoBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
  """Base of the data sets made of videos.

  Writes to a temporary folder that takes its final name when all is done, so
  that an interrupted run leaves no half data set. `report.json` inside says
  what was kept or dropped, and why.
  """

  VERSION = tfds.core.Version('1.0.0')
  # Nothing is downloaded, so there are no checksums beside the code; looking
  # for them takes a package that tensorflow-datasets does not require.
  code_path = None

  def __init__(self, *, options: VideoOptions, **kwargs):
    """Args: options; kwargs as for `tfds.core.DatasetBuilder`."""
    self.options = options
    super().__init__(file_format='array_record', **kwargs)

  def jobs(self) -> list[VideoJob]:
    """All videos, each with its split; called once."""
    raise NotImplementedError

  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      description='Frames and 68 landmarks of videos of faces.',
      features=records.features(),
    )

  def _split_generators(self, dl_manager, pipeline):
    del dl_manager
    jobs = self.jobs()
    make_detector()  # if it is not installed, fail here and not in a worker
    splits = sorted({job.split for job in jobs})
    outputs = (
      pipeline
      | 'Videos' >> beam.Create(jobs)
      | 'Spread' >> beam.Reshuffle()
      | 'Process'
      >> beam.ParDo(_Process(self.options)).with_outputs(_OUTCOMES, *splits)
    )
    written = (
      outputs[_OUTCOMES]
      | 'Tally' >> beam.CombineGlobally(_Tally())
      | 'Report'
      >> beam.Map(
        _write_report,
        folder=os.fspath(self.data_path),
        dataset=self.name,
        options=dataclasses.asdict(self.options),
      )
    )
    done = beam.pvalue.AsSingleton(written)
    return {
      split: self._generate_examples(outputs[split], split, done)
      for split in splits
    }

  def _generate_examples(self, examples, split, done):
    # Waits for the report: tfds fails on an empty split, and only the report
    # can say why it is empty.
    return examples | f'Wait_{split}' >> beam.Map(_after, done)

  def _download_and_prepare(self, dl_manager, download_config):
    try:
      super()._download_and_prepare(dl_manager, download_config)
    except Exception:
      preparation.check_kept(preparation.read_report(self.data_path))
      raise


def local() -> dict:
  """Arguments of `preparation.build` for Beam's direct runner, in this process.

  By its name 'DirectRunner', Beam would first try to download another program
  (Prism), and options left to themselves are read from this program's flags.
  """
  return {
    'beam_runner': fn_runner.FnApiRunner(),
    'beam_options': PipelineOptions([]),
  }
