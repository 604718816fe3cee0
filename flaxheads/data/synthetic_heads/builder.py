"""The dataset of synthetic heads: any number of people, none of them real."""

import dataclasses
import os

import numpy as np
import tensorflow_datasets as tfds

from flaxheads.data import records
from flaxheads.data.preparation import report
from flaxheads.data.preparation.job import Outcome
from flaxheads.errors import check_choice, check_range


@dataclasses.dataclass(frozen=True)
class SyntheticHeadsOptions:
  """How many people, clips and frames; people of 'test' are others."""

  num_identities: int = 500  # in the split 'train'
  num_test_identities: int = 20  # 0: no such split
  clips_per_identity: int = 2
  num_frames: int = 64  # of a clip
  num_test_frames: int = 64  # of a clip of the split 'test'
  fps: float = 25.0  # fewer show more poses in as many frames
  image_size: int = 128
  seed: int = 0

  def __post_init__(self):
    check_range('num_identities', self.num_identities, 1)
    check_range('num_test_identities', self.num_test_identities, 0)
    check_range('clips_per_identity', self.clips_per_identity, 1)
    for name in ('num_frames', 'num_test_frames'):
      check_range(name, getattr(self, name), 2, records.MAX_FRAMES)
    check_range('fps', self.fps, 0.5, 100)
    check_choice('image_size', self.image_size, (64, 128, 256, 512))
    check_range('seed', self.seed, 0)

  def num_clips(self) -> int:
    people = self.num_identities + self.num_test_identities
    return people * self.clips_per_identity


def _render(options, identity, clip, num_frames):
  # Late: reading the dataset must not start a JAX backend.
  from flaxheads.data.synthetic_heads import make_clip

  return make_clip(
    options.seed,
    identity,
    num_frames,
    options.image_size,
    motion_index=clip,
    fps=options.fps,
  )


class SyntheticHeads(tfds.core.GeneratorBasedBuilder):
  """Builds `synthetic_heads`, one record a clip.

  Renders one clip after the other in this process: JAX already uses the
  whole device.
  """

  VERSION = tfds.core.Version('1.0.0')
  # Nothing is downloaded, so there are no checksums beside the code; looking
  # for them takes a package that tensorflow-datasets does not require.
  code_path = None

  def __init__(self, *, options: SyntheticHeadsOptions | None = None, **kwargs):
    """Args: options; kwargs as for `tfds.core.DatasetBuilder`."""
    self.options = options or SyntheticHeadsOptions()
    self._tally = report.new_tally()
    super().__init__(file_format='array_record', **kwargs)

  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      description='Frames and exact 68 landmarks of rendered heads.',
      features=records.features(),
    )

  def _split_generators(self, dl_manager):
    del dl_manager
    train = self.options.num_identities
    people = {'train': range(train)}
    if self.options.num_test_identities:
      people['test'] = range(train, train + self.options.num_test_identities)
    return {
      split: self._generate_examples(split, identities)
      for split, identities in people.items()
    }

  def _generate_examples(self, split, identities):
    test = split == 'test'
    options = self.options
    num_frames = options.num_test_frames if test else options.num_frames
    times = np.arange(num_frames) / options.fps  # [F] seconds
    for identity in identities:
      for clip in range(options.clips_per_identity):
        identity_id = f'head_{identity:06d}'
        video_id = f'{identity_id}/{clip:02d}'
        frames, points = _render(options, identity, clip, num_frames)
        record = records.make_record(
          frames, points, times, video_id=video_id, identity_id=identity_id
        )
        outcome = Outcome(video_id, identity_id, split, record['num_frames'])
        report.add(self._tally, outcome)
        report.announce(outcome)
        yield video_id, record

  def _download_and_prepare(self, dl_manager, download_config):
    super()._download_and_prepare(dl_manager, download_config)
    options = dataclasses.asdict(self.options)
    summary = report.summary(self._tally, self.name, options)
    report.write_report(os.fspath(self.data_path), summary)
