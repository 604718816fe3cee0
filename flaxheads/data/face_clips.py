"""Cropped face frames from an image, a video or a folder of images."""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from absl import logging

from flaxheads.data import image as images
from flaxheads.data import video as videos
from flaxheads.data.clip import FACE_NEEDED, FaceClip, check_box, remarks_of
from flaxheads.data.kinds import IMAGE, kind_of, list_images
from flaxheads.data.preparation.shots import Cuts
from flaxheads.data.timestamps import frame_rate
from flaxheads.data.video_frames import ahead, grouped
from flaxheads.errors import UserError, check_range
from flaxheads.landmarks.crop import (
  crop_box,
  crop_image,
  points_to_crop,
  turn_image,
  turn_points,
)
from flaxheads.landmarks.detect import Detector, make_detector, usual_turns
from flaxheads.landmarks.face_finder import BATCH_SIZE
from flaxheads.landmarks.follow import Follower, pick_face
from flaxheads.landmarks.gaze import UNKNOWN, smooth_gaze
from flaxheads.landmarks.landmark_files import load_landmarks
from flaxheads.landmarks.smooth import smooth_points

MAX_BYTES = 4 << 30  # of cropped frames
_AHEAD = 2  # frames decoded in advance; one may have 64 megapixels
_MANY_PICTURES = 16  # in a folder


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
  one_shot: bool = False,
) -> FaceClip:
  """Detects, tracks, smooths and crops one face.

  Args:
    path: an image, a video, or a folder of images (sorted by name).
    image_size: side of the crops in pixels.
    detector: None makes the default detector, unless `landmarks` is given.
    face: index of the face, from the left, among those at least a third as
      large as the largest; in a video, in the first frame with a face. None:
      the only face of an image, the largest face of a video.
    max_frames: read at most this many frames or images.
    fps: resample a video to this rate.
    landmarks: an .npz file with the points, see `landmark_files`. Nothing is
      detected or smoothed then.
    frames: False omits the frames of a video. It is then read once, in memory
      that does not grow with its length.
    one_shot: use only the longest shot; others are not listed as missing.

  Returns:
    The clip. Frames without the face are omitted, listed and logged.

  Raises:
    UserError: the file cannot be read, shows no face, or shows several faces
      and `face` is None.
  """
  path = Path(path)
  check_range('image_size', image_size, 8, 4096)
  for name, value, low in (('face', face, 0), ('max_frames', max_frames, 1)):
    if value is not None:
      check_range(name, value, low)
  if landmarks is not None and fps is not None:
    raise UserError('landmarks: cannot be combined with fps; omit fps')
  given = None if landmarks is None else load_landmarks(landmarks)
  if given is None and detector is None:
    detector = make_detector(often=_holds_many(path))
  kind = kind_of(path)
  if kind is None and path.is_file() and path.stat().st_size:
    raise UserError(
      f'{path}: is not a video or an image of a known format; give MP4, MOV,'
      ' MKV or WebM, or JPEG, PNG, WebP or HEIC'
    )
  if path.is_dir() or kind == IMAGE:
    clip = _load_pictures(path, image_size, detector, face, max_frames, given)
  else:
    reader = videos.VideoReader(path, max_frames=max_frames, fps=fps)
    clip = _load_video(
      reader,
      image_size,
      detector,
      face,
      given,
      whole=max_frames is None,
      wanted=frames,
      one_shot=one_shot,
    )
  for text in remarks_of(clip):
    logging.warning('%s', text)
  return clip


class _Scan(NamedTuple):
  """What one pass over a video found.

  Attributes:
    points: [68, 2] or None, for each frame.
    gaze: [2, 2], for each frame.
    times: seconds.
    shape: of the frames.
    cuts: indices of frames that begin another shot.
  """

  points: list[np.ndarray | None]
  gaze: list[np.ndarray]
  times: list[float]
  shape: tuple[int, ...] | None
  cuts: list[int]


def _scan(reader, detector, face) -> _Scan:
  """Follows the face; turns the reader's frames if it is not upright.

  Args:
    reader: VideoReader.
    detector: None finds no faces.
    face: see load_face_clip.
  """
  points, gaze, times, shape, cuts = [], [], [], None, Cuts()
  follow = Follower(detector, face, str(reader.path)) if detector else None
  with contextlib.closing(ahead(reader, _AHEAD)) as frames:
    for group in grouped(frames, BATCH_SIZE):
      times += [frame.time for frame in group]
      shape = shape or group[0].image.shape
      for frame in group:
        cuts.add(frame.image)
      found = follow([frame.image for frame in group]) if follow else []
      turns = usual_turns(found)
      if turns and not reader.turns and all(each is None for each in points):
        reader.turns = turns
        return _scan(reader, detector, face)
      points += [None if face is None else face.points for face in found]
      gaze += [UNKNOWN if face is None else face.gaze for face in found]
  return _Scan(points, gaze, times, shape, cuts.found())


def _load_video(
  reader, image_size, detector, face, given, *, whole, wanted, one_shot
) -> FaceClip:
  """Reads the file twice, so that whole frames need not stay in memory."""
  source = str(reader.path)
  scan = _scan(reader, detector if given is None else None, face)
  points, times = scan.points, scan.times
  if given is not None:
    _check_count(given, len(times), source, whole)
    points = given.points[: len(times)]
    points = [None if np.isnan(p).any() else p for p in points]
    times = times if given.times is None else given.times[: len(times)]
  kept = np.array([i for i, p in enumerate(points) if p is not None], np.int64)
  missing = [i for i, p in enumerate(points) if p is None]
  shots = _shots_with_faces(kept, scan.cuts, len(times))
  if one_shot and len(shots) > 1:
    first, last = max(shots, key=lambda shot: np.sum(_inside(kept, shot)))
    kept = kept[_inside(kept, (first, last))]
    missing = [i for i in missing if first <= i <= last]
  if not len(kept):
    raise UserError(
      f'{source}: no face found in any of {len(times)} frames; {FACE_NEEDED}'
    )
  times = np.asarray(times, np.float64)
  located = np.stack([points[i] for i in kept])  # [F, 68, 2]
  gaze = None if given is not None else np.stack([scan.gaze[i] for i in kept])
  if given is None and len(times) > 1:
    rate = (len(times) - 1) / (times[-1] - times[0])
    located = smooth_points(located, rate, kept)
    gaze = smooth_gaze(gaze, rate, kept)
  box = crop_box(located)
  check_box(source, box, scan.shape, given is not None)
  fps = None
  if len(times) > 1:
    tick = reader.tick if given is None or given.times is None else 0.0
    fps = frame_rate(times, reader.frame_rate, tick)
  return FaceClip(
    frames=_crop(reader, kept, box, image_size) if wanted else None,
    points=points_to_crop(located, box, image_size),
    times=times[kept],
    all_times=times,
    fps=fps,
    boxes=(box,) * len(kept),
    kept=kept,
    missing=missing,
    source=source,
    shots=shots,
    turns=(reader.turns,) * len(kept),
    gaze=gaze,
  )


def _inside(kept, shot):
  return (kept >= shot[0]) & (kept <= shot[1])


def _shots_with_faces(kept, cuts, count):
  edges = [0, *cuts, count]
  shots = ((a, b - 1) for a, b in zip(edges[:-1], edges[1:], strict=True))
  return tuple(shot for shot in shots if _inside(kept, shot).any())


def _crop(reader, kept, box, image_size) -> np.ndarray:
  """The second pass: crops the frames."""
  _check_memory(str(reader.path), len(kept), image_size)
  frames = np.empty((len(kept), image_size, image_size, 3), np.uint8)
  places = {index: place for place, index in enumerate(kept.tolist())}
  with contextlib.closing(ahead(reader, _AHEAD)) as coming:
    for index, (image, _) in enumerate(coming):
      if index in places:
        frames[places[index]] = crop_image(image, box, image_size)
  return frames


def _holds_many(path) -> bool:
  """Whether a folder has enough images for optimised programs to pay."""
  return path.is_dir() and sum(1 for _ in path.iterdir()) > _MANY_PICTURES


def _load_pictures(
  path, image_size, detector, face, max_frames, given
) -> FaceClip:
  """Loads one image or those of a folder, each with its own box."""
  paths = list_images(path)[:max_frames]
  _check_memory(str(path), len(paths), image_size)
  if given is not None:
    _check_count(given, len(paths), str(path), max_frames is None)
  frames, points, gaze, boxes, kept, turns = [], [], [], [], [], []
  for index, name in enumerate(paths):
    image, turned = images.read_image(name), 0
    if given is not None:
      located = given.points[index]
      if np.isnan(located).any():
        continue
    else:
      faces = detector(image)
      if not faces:
        continue
      chosen = pick_face(faces, face, str(name))
      turned = chosen.quarter_turns
      located = turn_points(chosen.points, turned, image.shape)
      image = turn_image(image, turned)
      gaze.append(chosen.gaze)
    box = crop_box(located)
    check_box(str(name), box, image.shape, given is not None)
    frames.append(crop_image(image, box, image_size))
    points.append(points_to_crop(located, box, image_size))
    boxes.append(box)
    kept.append(index)
    turns.append(turned)
  if not kept:
    where = f'any of {len(paths)} images' if path.is_dir() else 'the image'
    raise UserError(f'{path}: no face found in {where}; {FACE_NEEDED}')
  kept = np.array(kept, np.int64)
  times = np.arange(len(paths), dtype=np.float64)
  if given is not None and given.times is not None:
    times = given.times[: len(paths)]
  return FaceClip(
    frames=np.stack(frames),
    points=np.stack(points),
    times=times[kept],
    all_times=times,
    fps=None,
    boxes=tuple(boxes),
    kept=kept,
    missing=sorted(set(range(len(paths))) - set(kept.tolist())),
    source=str(path),
    turns=tuple(turns),
    gaze=np.stack(gaze) if gaze else None,
  )


def _check_count(given, count: int, source: str, whole: bool):
  """Raises UserError unless there is one set of landmarks per frame."""
  number = len(given.points)
  if number < count or (whole and number > count):
    raise UserError(
      f'{source}: has {count} frames, but landmarks for {number}; give one set'
      ' for each frame'
    )


def _check_memory(source: str, count: int, image_size: int):
  if count * image_size**2 * 3 > MAX_BYTES:
    raise UserError(
      f'{source}: {count} frames of {image_size}x{image_size} take more than'
      f' {MAX_BYTES >> 30} GiB; read fewer (max_frames)'
    )
