"""Drivers: landmarks of a video, of images or of a file that move a person."""

import dataclasses
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxheads.data import video as videos
from flaxheads.data.clip import FaceClip, remarks_of
from flaxheads.data.face_clips import load_face_clip
from flaxheads.data.kinds import IMAGE, is_animation, kind_of
from flaxheads.data.timestamps import frame_rate
from flaxheads.errors import UserError, check_range
from flaxheads.landmarks import face_shape, layout
from flaxheads.landmarks.crop import crop_box, points_to_crop
from flaxheads.landmarks.detect import Detector
from flaxheads.landmarks.gaze import fill
from flaxheads.landmarks.landmark_files import EXTENSIONS as LANDMARK_EXTENSIONS
from flaxheads.landmarks.landmark_files import load_landmarks
from flaxheads.landmarks.relative_motion import rest_frames

STILL_FPS = 25.0  # frame rate of a folder of images
_EASE_SECONDS = 0.3  # from a face to its rest, where it disappears


class Driver(NamedTuple):
  """Landmarks that move a person, at a constant frame rate.

  Attributes:
    name: for file names.
    points: float32 [F, 68, 2] in pixels of an S x S crop.
    frames: uint8 [F, S, S, 3]; None for landmark files, or if omitted.
    fps: frames per second.
    remarks: messages for the user about frames without a face.
    sound: the file whose sound accompanies the points; None: no sound.
    start: time of the first point set in that video, seconds.
    path: the file or folder whose landmarks were read; None: none were.
    speech: the file whose speech moved the mouth; None: the mouth is that of
      `path`.
    gaze: float32 [F, 2, 2], see landmarks/gaze.py; None: unknown.
  """

  name: str
  points: np.ndarray
  frames: np.ndarray | None
  fps: float
  remarks: list[str]
  sound: Path | None = None
  start: float = 0.0
  path: Path | None = None
  speech: Path | None = None
  gaze: np.ndarray | None = None


def check_limits(fps: float | None, max_frames: int | None) -> None:
  """Raises UserError for a rate or a number of frames that no driver has."""
  if fps is not None:
    check_range('--fps', fps, 1, videos.MAX_FPS)
  if max_frames is not None:
    check_range('--max_frames', max_frames, 1)


def load_driver(
  path: str | os.PathLike,
  image_size: int,
  *,
  face: int | None = None,
  detector: Detector | None = None,
  fps: float | None = None,
  max_frames: int | None = None,
  frames: bool = True,
) -> Driver:
  """Reads a driver.

  The result is as long as the driver. Between frames with a face the points
  are interpolated; before the first and after the last one the face is at rest,
  see relative_motion.py.

  Args:
    path: a video, an image, a folder of images, or a landmark file (.npz, .npy,
      or a .csv of OpenFace).
    image_size: side of the crops in pixels.
    face: index of the face, from the left, where there are several.
    detector: see flaxheads/landmarks/detect.py; None makes the default one.
    fps: frames per second of the result; None: the driver's own.
    max_frames: read at most this many frames.
    frames: False omits the frames of a video. It is then read once, in memory
      that does not grow with its length.

  Raises:
    UserError: the driver cannot be read, or shows no face.
  """
  path = Path(path).expanduser()
  if not path.exists():
    raise UserError(
      f'{path}: no such file or folder; give a video, an image, a folder of'
      ' images, or landmarks (.npz, .npy, .csv)'
    )
  check_limits(fps, max_frames)
  if path.suffix.lower() in LANDMARK_EXTENSIONS:
    clip = _from_landmarks(path, image_size, max_frames)
    remarks, sound, still = [], None, clip.fps is None
  else:
    clip = load_face_clip(
      path,
      image_size,
      detector=detector,
      face=face,
      max_frames=max_frames,
      frames=frames,
    )
    remarks = remarks_of(clip)
    still = path.is_dir() or kind_of(path) == IMAGE
    sound = None if still or is_animation(path) else path
  if still:
    clip = dataclasses.replace(
      clip, times=clip.times / STILL_FPS, all_times=clip.all_times / STILL_FPS
    )
  driver = _regular(path, clip, fps, remarks)
  start = float(clip.all_times[0])
  return driver._replace(sound=sound, start=start, path=path)


def _from_landmarks(path, image_size, max_frames) -> FaceClip:
  given = load_landmarks(path)
  points = given.points[:max_frames]
  missing = np.isnan(points).any((1, 2))
  kept = np.flatnonzero(~missing)
  if not len(kept):
    raise UserError(
      f'{path}: no frame has landmarks; give at least one frame with them'
    )
  timed = given.times is not None and len(points) > 1
  times = given.times if timed else np.arange(len(points), dtype=np.float64)
  times = times[: len(points)]
  points, box = points[kept], crop_box(points[kept])
  return FaceClip(
    frames=None,
    points=points_to_crop(points, box, image_size),
    times=times[kept],
    all_times=times,
    fps=frame_rate(times, STILL_FPS, 0.0) if timed else None,
    boxes=(box,) * len(kept),
    kept=kept,
    missing=np.flatnonzero(missing).tolist(),
    source=str(path),
  )


def _at_rest(points: np.ndarray) -> np.ndarray:
  """The mean of [F, 68 or more, 2] over the frames in which the 68 rest."""
  face = points[:, : layout.NUM_POINTS]
  motion = face_shape.fit_motion(face, face_shape.fit_shape(face))
  return points[rest_frames(motion)].mean(0)


def _with_ends(clip: FaceClip, points):
  """Points, times and indices of frames, with rest at the ends of the source.

  Args:
    clip: FaceClip.
    points: float32 [F, 68 or more, 2], of its frames.

  Returns:
    Points of N frames, float64 [N], and int [N], indices into `clip.frames`.
  """
  times, all_times = clip.times, clip.all_times
  before = all_times[all_times < times[0]]
  after = all_times[all_times > times[-1]]
  indices = np.arange(len(times))
  if not len(before) and not len(after):
    return points, times, indices
  rest = _at_rest(points)

  def ease(face, seconds):  # float [M], from `face`
    share = np.clip(seconds / _EASE_SECONDS, 0, 1)
    share = (share * share * (3 - 2 * share))[:, None, None]
    return face + share.astype(np.float32) * (rest - face)

  return (
    np.concatenate(
      [
        ease(points[0], times[0] - before),
        points,
        ease(points[-1], after - times[-1]),
      ]
    ),
    np.concatenate([before, times, after]),
    np.pad(indices, (len(before), len(after)), 'edge'),
  )


def _regular(path, clip, fps, remarks) -> Driver:
  """Resamples points to a constant rate by linear interpolation."""
  name = path.name if path.is_dir() else path.stem
  # Gaze is interpolated like points.
  gaze = None if clip.gaze is None else fill(clip.gaze)
  points = [clip.points] if gaze is None else [clip.points, gaze]
  points, times, indices = _with_ends(clip, np.concatenate(points, 1))
  frames = clip.frames

  def driver(points, fps, frames):
    points, gaze = np.split(points, [layout.NUM_POINTS], 1)
    gaze = gaze if gaze.size else None
    return Driver(name, points, frames, fps, remarks, gaze=gaze)

  if len(times) == 1:
    return driver(points, fps or STILL_FPS, frames)
  fps = fps or clip.fps or STILL_FPS
  if not 1 <= fps <= videos.MAX_FPS:
    raise UserError(
      f'{path}: its times, in seconds, give {fps:g} frames per second; set a '
      f'rate from 1 to {videos.MAX_FPS:g} with --fps'
    )
  if (times[-1] - times[0]) * fps > videos.MAX_FRAMES:
    raise UserError(
      f'{path}: lasts {times[-1] - times[0]:g} s, more than '
      f'{videos.MAX_FRAMES} frames; cut it, or limit it with --max_frames'
    )
  count = int(round((times[-1] - times[0]) * fps)) + 1
  grid = times[0] + np.arange(count) / fps
  right = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
  left = right - 1
  weight = (grid - times[left]) / (times[right] - times[left])
  weight = np.clip(weight, 0, 1).astype(np.float32)[:, None, None]
  mixed = points[left] * (1 - weight) + points[right] * weight
  if frames is not None:
    frames = frames[indices[np.where(weight.ravel() < 0.5, left, right)]]
  return driver(mixed.astype(np.float32), fps, frames)
