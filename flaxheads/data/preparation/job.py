"""A video to prepare, the options, and the outcome."""

import dataclasses
from typing import NamedTuple

from flaxheads.data import records
from flaxheads.errors import check_range


class Job(NamedTuple):
  """One video; every field is a JSON value.

  Attributes:
    paths: its files in order of time (VoxCeleb's utterances), or the one.
    video_id: unique in the dataset.
    identity_id: names the person.
    split: 'train' or 'test'.
    starts: seconds at which each file begins; empty: one after the other.
  """

  paths: tuple[str, ...]
  video_id: str
  identity_id: str
  split: str
  starts: tuple[float, ...] = ()


def job_from_json(fields: list) -> Job:
  """The job of the fields that JSON returns as lists."""
  paths, *names, starts = fields
  return Job(tuple(paths), *names, tuple(starts))


@dataclasses.dataclass(frozen=True)
class Options:
  """The source folder, and limits and sizes of records."""

  source: str = ''  # the folder that holds them
  image_size: int = records.RECORD_SIZE
  max_frames: int = records.MAX_FRAMES
  min_frames: int = 2  # good ones; a support frame and a target
  min_face_size: int = 48  # pixels of the video, brows to chin or jaw to jaw
  min_sharpness: float = 0.012  # see quality.sharpness
  max_seconds: float = 900.0  # of work on one video

  def __post_init__(self):
    check_range('image_size', self.image_size, 16, 1024)
    check_range('max_frames', self.max_frames, 2, 1024)
    check_range('min_frames', self.min_frames, 2, self.max_frames)
    check_range('min_face_size', self.min_face_size, 0, 4096)
    check_range('min_sharpness', self.min_sharpness, 0, 1)
    check_range('max_seconds', self.max_seconds, 1, 86400)


class PageImage(NamedTuple):
  """A thumbnail for kept.png and dropped.png.

  Attributes:
    group: 'kept', or the reason of dropping.
    name: the video's.
    jpeg: bytes of a JPEG file.
  """

  group: str
  name: str
  jpeg: bytes


class Outcome(NamedTuple):
  """The result of one video.

  Attributes:
    video_id, identity_id, split: of the job.
    num_frames: kept; 0: the video was dropped.
    reason: why it was dropped.
    num_read: frames decoded.
    num_scanned: frames in which faces were detected.
    frames: {reason: frames left out for it}.
    files: {path below the source: why it was dropped}; other files of the
      video may have been kept.
    images: a few, for the page.
  """

  video_id: str
  identity_id: str
  split: str
  num_frames: int = 0
  reason: str = ''
  num_read: int = 0
  num_scanned: int = 0
  frames: dict = {}
  files: dict = {}
  images: tuple[PageImage, ...] = ()
