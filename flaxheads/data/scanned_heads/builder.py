"""Rendered people of published meshes and textures as a dataset."""

import dataclasses
import itertools
import os

import tensorflow_datasets as tfds

from flaxheads.data import records
from flaxheads.data.preparation import report
from flaxheads.data.preparation.job import Outcome
from flaxheads.data.preparation.resumable import ResumableBuilder
from flaxheads.data.scanned_heads import assets as assets_lib
from flaxheads.data.scanned_heads import rendering
from flaxheads.errors import check_choice, check_range

# People of the split 'test' are counted from here, so that a larger training
# set never contains them.
FIRST_TEST_IDENTITY = 1_000_000
FIRST_ICT_IDENTITY = 2_000_000
# As families.FAMILIES; reading a dataset does not import meshes and textures.
FAMILIES = ('makehuman', 'ict')


@dataclasses.dataclass(frozen=True)
class ScannedHeadsOptions:
  """How many people, clips and frames; people of 'test' are others.

  The family 'ict' is a test set: it has no split 'train', whatever
  `num_identities` says.
  """

  family: str = 'makehuman'
  num_identities: int = 500  # in the split 'train'
  num_test_identities: int = 20  # 0: no such split
  clips_per_identity: int = 2
  num_frames: int = 64  # of a clip
  num_test_frames: int = 64  # of a clip of the split 'test'
  fps: float = 25.0  # fewer show more poses in as many frames
  image_size: int = 256
  seed: int = 0

  def __post_init__(self):
    check_choice('family', self.family, FAMILIES)
    check_range('num_identities', self.num_identities, 1, FIRST_TEST_IDENTITY)
    least = 1 if self.family == 'ict' else 0
    check_range('num_test_identities', self.num_test_identities, least)
    check_range('clips_per_identity', self.clips_per_identity, 1)
    for name in ('num_frames', 'num_test_frames'):
      check_range(name, getattr(self, name), 2, records.MAX_FRAMES)
    check_range('fps', self.fps, 0.5, 100)
    check_choice('image_size', self.image_size, (64, 128, 256, 512))
    check_range('seed', self.seed, 0)

  def people(self) -> dict[str, range]:
    """Numbers of the people of each split."""
    test = FIRST_ICT_IDENTITY if self.family == 'ict' else FIRST_TEST_IDENTITY
    made = {
      'train': range(0 if self.family == 'ict' else self.num_identities),
      'test': range(test, test + self.num_test_identities),
    }
    return {split: people for split, people in made.items() if people}

  def clips(self) -> list[rendering.Clip]:
    """All clips, split after split."""
    made = []
    for split, people in self.people().items():
      test = split == 'test'
      num_frames = self.num_test_frames if test else self.num_frames
      for identity, number in itertools.product(
        people, range(self.clips_per_identity)
      ):
        clip = rendering.Clip(
          split,
          self.family,
          identity,
          number,
          num_frames,
          self.fps,
          self.image_size,
          self.seed,
        )
        made.append(clip)
    return made

  def num_clips(self) -> int:
    return len(self.clips())


class ScannedHeads(ResumableBuilder):
  """Builds `scanned_heads`, one record a clip; finished parts are clips."""

  def __init__(
    self,
    *,
    options: ScannedHeadsOptions | None = None,
    mirror: str = '',
    num_workers: int = 1,
    **kwargs,
  ):
    """Makes a builder.

    Args:
      options: how many people, clips and frames.
      mirror: folder of the assets; '': see assets.open_assets.
      num_workers: processes; 1: this one.
      **kwargs: as for `tfds.core.DatasetBuilder`.
    """
    self.options = options or ScannedHeadsOptions()
    self._mirror, self._num_workers = mirror, num_workers
    self._tally = report.new_tally()
    super().__init__(file_format='array_record', **kwargs)

  def _info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      description='Frames and exact 68 landmarks of rendered people of the'
      f' family {self.options.family}. ' + '; '.join(assets_lib.LICENCES),
      features=records.features(),
    )

  def _on_clip(self, clip):
    outcome = Outcome(
      clip.video_id, clip.identity_id, clip.split, clip.num_frames
    )
    report.add(self._tally, outcome)
    report.announce(outcome)

  def _split_generators(self, dl_manager):
    del dl_manager
    clips = self.options.clips()
    rendering.render(
      self.work_folder, clips, self._mirror, self._num_workers, self._on_clip
    )
    return {
      split: self._generate_examples(clips, split)
      for split in self.options.people()
    }

  def _generate_examples(self, clips, split):
    yield from rendering.read(self.work_folder, clips, split)

  def _download_and_prepare(self, dl_manager, download_config):
    super()._download_and_prepare(dl_manager, download_config)
    options = dataclasses.asdict(self.options)
    summary = report.summary(self._tally, self.name, options)
    report.write_report(os.fspath(self.data_path), summary)
