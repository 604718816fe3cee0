"""Makes the record of a job: scan, select, crop and compress its frames."""

import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from absl import logging
from etils import epath

from flaxheads.data import records
from flaxheads.data.preparation import quality, shots
from flaxheads.data.preparation.job import Job, Options, Outcome, PageImage
from flaxheads.data.preparation.scan import Scan, read_frames, scan
from flaxheads.data.video import VideoReader
from flaxheads.errors import UserError
from flaxheads.landmarks.crop import crop_box, crop_image, points_to_crop
from flaxheads.landmarks.detect import Detector
from flaxheads.landmarks.smooth import smooth_points

# Twice as many frames are scanned for faces as are kept, so that the best can
# be chosen.
_SCANNED_PER_KEPT = 2
_MIN_SMOOTH_RATE = 12.0  # scanned frames per second; below, faces move too far
_THUMBNAIL = 96  # pixels


class _Part(NamedTuple):
  """The frames that one file gives."""

  frames: np.ndarray  # uint8 [F, S, S, 3]
  points: np.ndarray  # float32 [F, 68, 2]
  times: np.ndarray  # float64 [F], seconds from the file's first frame
  gaze: np.ndarray  # float32 [F, 2, 2], see landmarks/gaze.py
  length: float  # seconds


class _OutcomeBuilder:
  """Collects the fields of an Outcome."""

  def __init__(self, job):
    self.job = job
    self.num_read = self.num_scanned = 0
    self.frames = {}
    self.files = {}
    self.images = []

  def leave_out(self, reason, count=1, image=None):
    if not count:
      return
    self.frames[reason] = self.frames.get(reason, 0) + count
    if image is not None and all(p.group != reason for p in self.images):
      self.show(reason, image)

  def show(self, group, image):
    scale = _THUMBNAIL / max(image.shape[:2])
    size = [max(1, round(n * scale)) for n in image.shape[1::-1]]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    jpeg = records.encode_jpeg(small, 85)
    self.images.append(PageImage(group, self.job.video_id, jpeg))

  def build(self, num_frames=0, reason=''):
    return Outcome(
      *self.job[1:4],
      num_frames,
      reason,
      self.num_read,
      self.num_scanned,
      self.frames,
      self.files,
      tuple(self.images),
    )


def _thumbnail_source(frame, index, image):
  """The thumbnail of a frame left out: its face, or the whole frame."""
  if index is None:
    return image
  return crop_image(image, crop_box(frame.faces[index].points), _THUMBNAIL)


def _longest_shot(scanned: Scan):
  """(frames, followed face of each, frames of all other shots)."""
  best, others = ([], []), []
  for frames in shots.split(scanned.frames, scanned.cuts):
    followed = shots.follow(frames)
    seen = sum(index is not None for index in followed)
    if not best[0] or seen > sum(index is not None for index in best[1]):
      others += best[0]
      best = (frames, followed)
    else:
      others += frames
  return *best, others


def _smoothed(points, frames):
  if len(frames) < 2:
    return points
  steps = np.diff([frame.index for frame in frames])
  stride = int(steps.min())
  rate = (
    1 / np.median(np.diff([frame.time for frame in frames]) / steps) / stride
  )
  if rate < _MIN_SMOOTH_RATE:
    return points
  return smooth_points(
    points, rate, [frame.index // stride for frame in frames]
  )


def _crop(
  scanned: Scan, options: Options, outcome: _OutcomeBuilder
) -> _Part | None:
  """Selects the usable frames of a file's longest shot, and crops them."""
  frames, followed, others = _longest_shot(scanned)
  reasons = {frame.index: quality.OTHER_SHOT for frame in others}
  good = []
  for frame, index in zip(frames, followed, strict=True):
    reason = quality.reject_reason(frame, index, options)
    if reason:
      reasons[frame.index] = reason
    else:
      good.append((frame, index))
  box = None
  if good:
    box = crop_box(np.stack([frame.faces[i].points for frame, i in good]))
    for frame, index in good:
      if quality.shows_other_face(frame, index, box):
        reasons[frame.index] = quality.SEVERAL
    good = [each for each in good if each[0].index not in reasons]
  faces = dict(zip((frame.index for frame in frames), followed, strict=True))
  _show_left_out(scanned, reasons, faces, outcome)
  if not good:
    return None
  points = np.stack([frame.faces[index].points for frame, index in good])
  points = _smoothed(points, [frame for frame, _ in good])
  wanted = [frame.index for frame, _ in good]
  crops = [
    crop_image(image, box, options.image_size)
    for _, image in read_frames(scanned, wanted)
  ]
  return _Part(
    np.stack(crops),
    points_to_crop(points, box, options.image_size),
    np.array([frame.time for frame, _ in good]),
    np.stack([frame.faces[index].gaze for frame, index in good]),
    scanned.frames[-1].time,
  )


def _show_left_out(scanned, reasons, faces, outcome):
  """Counts every frame left out, and shows the first of each reason."""
  by_reason = {}
  for index, reason in sorted(reasons.items()):
    by_reason.setdefault(reason, []).append(index)
  first = sorted(indices[0] for indices in by_reason.values())
  images = dict(read_frames(scanned, first))
  frames = {frame.index: frame for frame in scanned.frames}
  for reason, indices in by_reason.items():
    index = indices[0]
    shown = _thumbnail_source(frames[index], faces.get(index), images[index])
    outcome.leave_out(reason, len(indices), shown)


def _scan_all(job: Job, options: Options, detector, outcome) -> Iterator[Scan]:
  """Scans every file; notes those that cannot be read."""
  wanted = _SCANNED_PER_KEPT * options.max_frames
  lengths = {}
  for path in job.paths:
    try:
      lengths[path] = VideoReader(path).estimated_frames
    except UserError as error:
      outcome.files[path] = _without_path(path, error)
  total = sum(lengths.values())
  stride = max(1, -(-total // wanted))
  for path, length in lengths.items():
    most = max(8, 2 * wanted * length // max(total, 1))
    try:
      scanned = scan(path, stride, most, detector)
    except UserError as error:
      outcome.files[path] = _without_path(path, error)
      continue
    outcome.num_read += scanned.num_frames
    outcome.num_scanned += scanned.num_scanned
    yield scanned


def _without_path(path, error):
  # A message has one line, whatever line breaks and tabs a name holds.
  return str(error).replace(' '.join(path.split()), '').lstrip(': ')


def _fetch(job: Job, folder: str) -> Job:
  """The job with remote files ('gs://...') copied to this machine."""
  paths = []
  for number, path in enumerate(job.paths):
    if '://' in path:
      local = epath.Path(folder) / f'{number:05d}{epath.Path(path).suffix}'
      epath.Path(path).copy(local)
      path = str(local)
    paths.append(path)
  return job._replace(paths=tuple(paths))


def _named(files, local, job):
  given = dict(zip(local.paths, job.paths, strict=True))
  return {given[path]: reason for path, reason in files.items()}


def _crop_all(job, options, detector, outcome) -> list[_Part]:
  """The parts of all files, with times of the whole video."""
  parts, offset = [], 0.0
  for scanned in _scan_all(job, options, detector, outcome):
    part = _crop(scanned, options, outcome)
    if part is None:
      outcome.files[scanned.path] = _main_reason(outcome)
      continue
    if job.starts:
      offset = job.starts[job.paths.index(scanned.path)]
    parts.append(part._replace(times=part.times + offset))
    offset += part.length + 1.0
  return parts


def process(
  job: Job, options: Options, detector: Detector
) -> tuple[dict | None, Outcome]:
  """Makes the record of one video.

  Of each file the longest shot is used, and in it the face that covers the
  most area. There is one crop per shot, so that the head moves inside it.

  Args:
    job: the video.
    options: limits and sizes.
    detector: of faces.

  Returns:
    (record or None, Outcome). A file that cannot be used does not raise.
  """
  outcome = _OutcomeBuilder(job)
  with tempfile.TemporaryDirectory() as folder:
    try:
      local = _fetch(job, folder)
      parts = _crop_all(local, options, detector, outcome)
    except Exception as error:  # a defect, or a library that failed on a file
      logging.exception('%s: unexpected failure', job.video_id)
      name = type(error).__name__
      return None, outcome.build(reason=f'unexpected {name}, see the log')
  outcome.files = _named(outcome.files, local, job)
  count = sum(len(part.frames) for part in parts)
  if count < options.min_frames:
    return None, outcome.build(reason=_why_dropped(outcome, count, options))
  *arrays, gaze = map(np.concatenate, list(zip(*parts, strict=True))[:4])
  record = records.make_record(
    *arrays,
    gaze=gaze,
    video_id=job.video_id,
    identity_id=job.identity_id,
    max_frames=options.max_frames,
  )
  middle = parts[len(parts) // 2].frames
  outcome.show('kept', middle[len(middle) // 2])
  return record, outcome.build(record['num_frames'])


def _main_reason(outcome):
  return max(outcome.frames, key=outcome.frames.get, default=quality.NO_FACE)


def _why_dropped(outcome, count, options):
  if not count and len(set(outcome.files.values())) == 1 and not outcome.frames:
    return next(iter(outcome.files.values()))
  mostly = _main_reason(outcome)
  if not count:
    return f'no good frame, mostly: {mostly}'
  return (
    f'{count} good frames, but min_frames={options.min_frames};'
    f' the others mostly: {mostly}'
  )
