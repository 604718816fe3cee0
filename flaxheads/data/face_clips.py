"""From a picture, a video or a folder of pictures to cropped faces."""

import contextlib
import dataclasses
import os
from pathlib import Path

import numpy as np
from absl import logging

from flaxheads.data import image as images
from flaxheads.data import video as videos
from flaxheads.data.video_frames import ahead
from flaxheads.errors import UserError, check_range
from flaxheads.landmarks.crop import (
  CropBox,
  crop_box,
  crop_image,
  points_to_crop,
)
from flaxheads.landmarks.detect import Detector, make_detector
from flaxheads.landmarks.follow import Follower, pick_face
from flaxheads.landmarks.landmark_files import load_landmarks
from flaxheads.landmarks.smooth import smooth_points

MAX_BYTES = 4 << 30  # of cropped frames
_AHEAD = 2  # decoded while faces are looked for; a frame may have 64 megapixels
# A crop so much larger than the picture means points of another picture.
_MAX_CROP = 8
_FACE_NEEDED = 'give one with a face seen from the front'


@dataclasses.dataclass(frozen=True)
class FaceClip:
  """The frames of one face, cropped.

  Attributes:
    frames: uint8 RGB [F, S, S, 3]; None where points were all that was wanted.
    points: float32 [F, 68, 2] in pixels of the crop.
    times: float64 [F] in seconds; of pictures, their numbers.
    boxes: F squares in the source: the same for all frames of a video, each
      its own for the pictures of a folder.
    kept: int64 [F], the frames' numbers in the source.
    missing: numbers of source frames without the face.
    source: the path.
  """

  frames: np.ndarray | None
  points: np.ndarray
  times: np.ndarray
  boxes: tuple[CropBox, ...]
  kept: np.ndarray
  missing: list[int]
  source: str

  @property
  def box(self) -> CropBox:
    """The box of the first frame, and of all frames of a video."""
    return self.boxes[0]


def load_face_clip(
  path: str | os.PathLike,
  image_size: int,
  *,
  detector: Detector | None = None,
  face: int | None = None,
  max_frames: int | None = None,
  fps: float | None = None,
  landmarks: str | os.PathLike | None = None,
  frames: bool = True,
) -> FaceClip:
  """Finds, follows, smooths and crops one face.

  Args:
    path: a picture, a video, or a folder of pictures (taken by name).
    image_size: side of the crops in pixels.
    detector: None makes the default one, or none if `landmarks` is given.
    face: which of several faces, counted from the left from 0, leaving out
      those less than a third as large as the largest; in a video, of the
      first frame with a face. None: the only one, or in a video the largest.
    max_frames: read at most so many frames or pictures.
    fps: resample a video to this rate.
    landmarks: an .npz file with the points, see `landmark_files`; then
      nothing is detected or smoothed.
    frames: False leaves the frames of a video out, which then is read once,
      in memory that does not grow with its length.

  Returns:
    The clip. Frames without the face are left out, listed and logged.

  Raises:
    UserError: unreadable, no face at all, or several and none chosen.
  """
  path = Path(path)
  check_range('image_size', image_size, 8, 4096)
  for name, value, low in (('face', face, 0), ('max_frames', max_frames, 1)):
    if value is not None:
      check_range(name, value, low)
  if landmarks is not None and fps is not None:
    raise UserError('landmarks belong to the frames of the file: leave out fps')
  given = None if landmarks is None else load_landmarks(landmarks)
  if given is None and detector is None:
    detector = make_detector()
  if path.is_dir() or path.suffix.lower() in images.EXTENSIONS:
    clip = _load_pictures(path, image_size, detector, face, max_frames, given)
  else:
    reader = videos.VideoReader(path, max_frames=max_frames, fps=fps)
    clip = _load_video(
      reader, image_size, detector, face, given, max_frames is None, frames
    )
  if clip.missing:
    logging.warning('%s', describe_missing(clip))
  return clip


def describe_missing(clip: FaceClip) -> str:
  """'no face in frames 12-19 and 40 of clip.mp4', or '' if none is missing."""
  if not clip.missing:
    return ''
  cuts = np.flatnonzero(np.diff(clip.missing) != 1) + 1
  parts = [
    str(run[0]) if len(run) == 1 else f'{run[0]}-{run[-1]}'
    for run in np.split(np.array(clip.missing), cuts)
  ]
  listed = ' and '.join([', '.join(parts[:-1]), parts[-1]][len(parts) < 2 :])
  noun = 'frame' if len(clip.missing) == 1 else 'frames'
  return f'no face in {noun} {listed} of {clip.source}'


def _load_video(
  reader, image_size, detector, face, given, whole, wanted
) -> FaceClip:
  """Two passes over the file, so that frames need not stay in memory."""
  source = str(reader.path)
  points, times, shape = [], [], None
  follow = Follower(detector, face, source) if given is None else None
  with contextlib.closing(ahead(reader, _AHEAD)) as frames:
    for index, (image, time) in enumerate(frames):
      times.append(time)
      shape = shape or image.shape
      if follow:
        found = follow(image)
        points.append(None if found is None else found.points)
      elif index < len(given.points):
        points.append(given.points[index])
  if given is not None:
    _check_count(given, len(times), source, whole)
    points = [None if np.isnan(p).any() else p for p in points]
    times = times if given.times is None else given.times[: len(times)]
  kept = np.array([i for i, p in enumerate(points) if p is not None], np.int64)
  missing = [i for i, p in enumerate(points) if p is None]
  if not len(kept):
    raise UserError(
      f'{source}: no face found in any of {len(times)} frames; {_FACE_NEEDED}'
    )
  times = np.asarray(times, np.float64)
  located = np.stack([points[i] for i in kept])  # [F, 68, 2]
  if follow and len(times) > 1:
    rate = (len(times) - 1) / (times[-1] - times[0])
    located = smooth_points(located, rate, kept)
  box = crop_box(located)
  _check_box(source, box, shape)
  return FaceClip(
    frames=_crop(reader, kept, box, image_size) if wanted else None,
    points=points_to_crop(located, box, image_size),
    times=times[kept],
    boxes=(box,) * len(kept),
    kept=kept,
    missing=missing,
    source=source,
  )


def _crop(reader, kept, box, image_size) -> np.ndarray:
  """The second pass."""
  _check_memory(str(reader.path), len(kept), image_size)
  frames = np.empty((len(kept), image_size, image_size, 3), np.uint8)
  places = {index: place for place, index in enumerate(kept.tolist())}
  with contextlib.closing(ahead(reader, _AHEAD)) as coming:
    for index, (image, _) in enumerate(coming):
      if index in places:
        frames[places[index]] = crop_image(image, box, image_size)
  return frames


def _load_pictures(
  path, image_size, detector, face, max_frames, given
) -> FaceClip:
  """One picture, or those of a folder, each with a box of its own."""
  paths = list_pictures(path)[:max_frames]
  _check_memory(str(path), len(paths), image_size)
  if given is not None:
    _check_count(given, len(paths), str(path), max_frames is None)
  frames, points, boxes, kept = [], [], [], []
  for index, name in enumerate(paths):
    image = images.read_image(name)
    if given is not None:
      located = given.points[index]
      if np.isnan(located).any():
        continue
    else:
      faces = detector(image)
      if not faces:
        continue
      located = pick_face(faces, face, str(name)).points
    box = crop_box(located)
    _check_box(str(name), box, image.shape)
    frames.append(crop_image(image, box, image_size))
    points.append(points_to_crop(located, box, image_size))
    boxes.append(box)
    kept.append(index)
  if not kept:
    where = f'any of {len(paths)} pictures' if path.is_dir() else 'the picture'
    raise UserError(f'{path}: no face found in {where}; {_FACE_NEEDED}')
  kept = np.array(kept, np.int64)
  times = given.times if given is not None else None
  return FaceClip(
    frames=np.stack(frames),
    points=np.stack(points),
    times=kept.astype(np.float64) if times is None else times[kept],
    boxes=tuple(boxes),
    kept=kept,
    missing=sorted(set(range(len(paths))) - set(kept.tolist())),
    source=str(path),
  )


def list_pictures(path: Path) -> list[Path]:
  """A picture itself, or those of a folder by name, at least one."""
  if not path.is_dir():
    return [path]
  found = sorted(
    p
    for p in path.iterdir()
    if p.suffix.lower() in images.EXTENSIONS
    and p.is_file()
    and not p.name.startswith('.')
  )
  if not found:
    raise UserError(
      f'{path}: the folder holds no picture; give PNG, JPEG or WebP files'
    )
  return found


def _check_count(given, count: int, source: str, whole: bool):
  """Refuses landmarks of another number of frames than the source has."""
  number = len(given.points)
  if number < count or (whole and number > count):
    raise UserError(
      f'{source}: {count} frames, but landmarks of {number}; one for each is'
      ' needed'
    )


def _check_memory(source: str, count: int, image_size: int):
  if count * image_size**2 * 3 > MAX_BYTES:
    raise UserError(
      f'{source}: {count} frames of {image_size}x{image_size} take more than'
      f' {MAX_BYTES >> 30} GiB; read fewer (max_frames)'
    )


def _check_box(source: str, box: CropBox, shape: tuple[int, ...]):
  height, width = shape[:2]
  x, y = box.x0 + box.side / 2, box.y0 + box.side / 2
  inside = 0 <= x <= width and -box.side <= y <= height
  if not inside or box.side > _MAX_CROP * max(height, width):
    raise UserError(
      f'{source}: the landmarks do not lie in the picture of {width}x{height}'
      ' pixels; give those of this file'
    )
