"""A job to its record."""

import tempfile
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from absl import logging
from etils import epath

from flaxheads.data import records
from flaxheads.data.preparation import quality, shots
from flaxheads.data.preparation.job import Job, Options, Outcome, Picture
from flaxheads.data.preparation.scan import Scan, read_frames, scan
from flaxheads.data.video import VideoReader
from flaxheads.errors import UserError
from flaxheads.landmarks.crop import crop_box, crop_image, points_to_crop
from flaxheads.landmarks.detect import Detector
from flaxheads.landmarks.smooth import smooth_points

# Faces are looked for in so many times the frames that are kept, so that the
# good ones can be chosen.
_LOOKS_PER_FRAME = 2
_MIN_SMOOTH_RATE = 12.0  # looks a second; between fewer, faces move too far
_THUMBNAIL = 96  # pixels


class _Part(NamedTuple):
  """The frames that one file gives."""

  frames: np.ndarray  # uint8 [F, S, S, 3]
  points: np.ndarray  # float32 [F, 68, 2]
  times: np.ndarray  # float64 [F], seconds from the file's first frame
  gaze: np.ndarray  # float32 [F, 2, 2], see landmarks/gaze.py
  length: float  # seconds


class _Account:
  """Collects what an Outcome tells."""

  def __init__(self, job):
    self.job = job
    self.num_read = self.num_looked = 0
    self.frames = {}
    self.files = {}
    self.pictures = []

  def leave_out(self, reason, count=1, image=None):
    if not count:
      return
    self.frames[reason] = self.frames.get(reason, 0) + count
    if image is not None and all(p.group != reason for p in self.pictures):
      self.show(reason, image)

  def show(self, group, image):
    scale = _THUMBNAIL / max(image.shape[:2])
    size = [max(1, round(n * scale)) for n in image.shape[1::-1]]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    jpeg = records.encode_jpeg(small, 85)
    self.pictures.append(Picture(group, self.job.video_id, jpeg))

  def outcome(self, num_frames=0, reason=''):
    return Outcome(
      *self.job[1:4],
      num_frames,
      reason,
      self.num_read,
      self.num_looked,
      self.frames,
      self.files,
      tuple(self.pictures),
    )


def _shown_of(look, index, image):
  """What the page shows of a frame left out: the face, or all there is."""
  if index is None:
    return image
  return crop_image(image, crop_box(look.faces[index].points), _THUMBNAIL)


def _longest_shot(scanned: Scan):
  """(looks, followed face of each, looks of all other shots)."""
  best, others = ([], []), []
  for looks in shots.split(scanned.looks, scanned.cuts):
    followed = shots.follow(looks)
    seen = sum(index is not None for index in followed)
    if not best[0] or seen > sum(index is not None for index in best[1]):
      others += best[0]
      best = (looks, followed)
    else:
      others += looks
  return *best, others


def _smoothed(points, looks):
  if len(looks) < 2:
    return points
  steps = np.diff([look.index for look in looks])
  stride = int(steps.min())
  rate = 1 / np.median(np.diff([look.time for look in looks]) / steps) / stride
  if rate < _MIN_SMOOTH_RATE:
    return points
  return smooth_points(points, rate, [look.index // stride for look in looks])


def _crop(scanned: Scan, options: Options, account: _Account) -> _Part | None:
  """Judges the frames of a file's longest shot and crops the good ones."""
  looks, followed, others = _longest_shot(scanned)
  reasons = {look.index: quality.OTHER_SHOT for look in others}
  good = []
  for look, index in zip(looks, followed, strict=True):
    reason = quality.judge(look, index, options)
    if reason:
      reasons[look.index] = reason
    else:
      good.append((look, index))
  box = None
  if good:
    box = crop_box(np.stack([look.faces[i].points for look, i in good]))
    for look, index in good:
      if quality.has_company(look, index, box):
        reasons[look.index] = quality.SEVERAL
    good = [each for each in good if each[0].index not in reasons]
  faces = dict(zip((look.index for look in looks), followed, strict=True))
  _show_left_out(scanned, reasons, faces, account)
  if not good:
    return None
  points = np.stack([look.faces[index].points for look, index in good])
  points = _smoothed(points, [look for look, _ in good])
  wanted = [look.index for look, _ in good]
  frames = [
    crop_image(image, box, options.image_size)
    for _, image in read_frames(scanned, wanted)
  ]
  return _Part(
    np.stack(frames),
    points_to_crop(points, box, options.image_size),
    np.array([look.time for look, _ in good]),
    np.stack([look.faces[index].gaze for look, index in good]),
    scanned.looks[-1].time,
  )


def _show_left_out(scanned, reasons, faces, account):
  """Counts every frame left out, and shows the first of each reason."""
  by_reason = {}
  for index, reason in sorted(reasons.items()):
    by_reason.setdefault(reason, []).append(index)
  first = sorted(indices[0] for indices in by_reason.values())
  images = dict(read_frames(scanned, first))
  looks = {look.index: look for look in scanned.looks}
  for reason, indices in by_reason.items():
    index = indices[0]
    shown = _shown_of(looks[index], faces.get(index), images[index])
    account.leave_out(reason, len(indices), shown)


def _scan_all(job: Job, options: Options, detector, account) -> Iterator[Scan]:
  """Scans every file; those that can't be read are noted."""
  wanted = _LOOKS_PER_FRAME * options.max_frames
  lengths = {}
  for path in job.paths:
    try:
      lengths[path] = VideoReader(path).estimated_frames
    except UserError as error:
      account.files[path] = _without(path, error)
  total = sum(lengths.values())
  stride = max(1, -(-total // wanted))
  for path, length in lengths.items():
    most = max(8, 2 * wanted * length // max(total, 1))
    try:
      scanned = scan(path, stride, most, detector)
    except UserError as error:
      account.files[path] = _without(path, error)
      continue
    account.num_read += scanned.num_frames
    account.num_looked += scanned.num_looked
    yield scanned


def _without(path, error):
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


def _crop_all(job, options, detector, account) -> list[_Part]:
  """The parts that the files give, in the time of the video."""
  parts, offset = [], 0.0
  for scanned in _scan_all(job, options, detector, account):
    part = _crop(scanned, options, account)
    if part is None:
      account.files[scanned.path] = _main_reason(account)
      continue
    if job.starts:
      offset = job.starts[job.paths.index(scanned.path)]
    parts.append(part._replace(times=part.times + offset))
    offset += part.length + 1.0
  return parts


def process(
  job: Job, options: Options, detector: Detector
) -> tuple[dict | None, Outcome]:
  """Reads, judges, crops and compresses one video.

  In each file the longest shot counts, and in it the face that covers the
  most area; its crop is computed once, so that the head moves inside it.

  Args:
    job: which.
    options: how.
    detector: of faces.

  Returns:
    (record or None, Outcome). A file that can't be used never raises.
  """
  account = _Account(job)
  with tempfile.TemporaryDirectory() as folder:
    try:
      local = _fetch(job, folder)
      parts = _crop_all(local, options, detector, account)
    except Exception as error:  # a defect, or a library that broke on a file
      logging.exception('%s: unexpected failure', job.video_id)
      name = type(error).__name__
      return None, account.outcome(reason=f'unexpected {name}, see the log')
  account.files = _named(account.files, local, job)
  count = sum(len(part.frames) for part in parts)
  if count < options.min_frames:
    return None, account.outcome(reason=_why_dropped(account, count, options))
  *arrays, gaze = map(np.concatenate, list(zip(*parts, strict=True))[:4])
  record = records.make_record(
    *arrays,
    gaze=gaze,
    video_id=job.video_id,
    identity_id=job.identity_id,
    max_frames=options.max_frames,
  )
  middle = parts[len(parts) // 2].frames
  account.show('kept', middle[len(middle) // 2])
  return record, account.outcome(record['num_frames'])


def _main_reason(account):
  return max(account.frames, key=account.frames.get, default=quality.NO_FACE)


def _why_dropped(account, count, options):
  if not count and len(set(account.files.values())) == 1 and not account.frames:
    return next(iter(account.files.values()))
  mostly = _main_reason(account)
  if not count:
    return f'no good frame, mostly: {mostly}'
  return (
    f'{count} good frames, but min_frames={options.min_frames};'
    f' the others mostly: {mostly}'
  )
