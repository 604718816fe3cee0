"""Drivers: the landmarks of a video, of images or of a file move a person."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxheads.data import image as images
from flaxheads.data import video as videos
from flaxheads.data.face_clips import describe_missing, load_face_clip
from flaxheads.errors import UserError, check_range
from flaxheads.landmarks.crop import crop_box, points_to_crop
from flaxheads.landmarks.landmark_files import load_landmarks

STILL_FPS = 25.0  # frame rate of a folder of images


class Driver(NamedTuple):
  """Landmarks that move a person, at a constant frame rate.

  Attributes:
    name: for file names.
    points: float32 [F, 68, 2] in pixels of an S x S crop.
    frames: uint8 [F, S, S, 3]; None for landmark files, or if omitted.
    fps: frames per second.
    remarks: messages for the user about frames without a face.
    sound: the video whose sound accompanies the points; None: no sound.
    start: time of the first point set in that video, seconds.
    path: the file or folder that was read.
  """

  name: str
  points: np.ndarray
  frames: np.ndarray | None
  fps: float
  remarks: list[str]
  sound: Path | None = None
  start: float = 0.0
  path: Path | None = None


def load_driver(
  path: str | os.PathLike,
  image_size: int,
  *,
  face: int | None = None,
  fps: float | None = None,
  max_frames: int | None = None,
  frames: bool = True,
) -> Driver:
  """Reads a driver.

  The points of frames without a face are interpolated, so the result is as
  long as the driver.

  Args:
    path: a video, an image, a folder of images, or a landmark file (.npz).
    image_size: side of the crops in pixels.
    face: index of the face, from the left, where there are several.
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
      ' images, or an .npz of landmarks'
    )
  if fps is not None:
    check_range('--fps', fps, 1, videos.MAX_FPS)
  if max_frames is not None:
    check_range('--max_frames', max_frames, 1)
  if path.suffix.lower() == '.npz':
    points, times, still = _from_landmarks(path, image_size, max_frames)
    crops, remarks, sound = None, [], None
  else:
    clip = load_face_clip(
      path, image_size, face=face, max_frames=max_frames, frames=frames
    )
    points, times, crops = clip.points, clip.times, clip.frames
    remarks = [describe_missing(clip)] if clip.missing else []
    still = path.is_dir() or path.suffix.lower() in images.EXTENSIONS
    sound = None if still else path
  if still:
    times = times / STILL_FPS
  driver = _regular(path, points, times, crops, fps, remarks)
  return driver._replace(sound=sound, start=float(times[0]), path=path)


def _from_landmarks(path, image_size, max_frames):
  given = load_landmarks(path)
  points = given.points[:max_frames]
  kept = np.flatnonzero(~np.isnan(points).any((1, 2)))
  if not len(kept):
    raise UserError(
      f'{path}: no frame has landmarks; give at least one frame with them'
    )
  times = kept if given.times is None else given.times[kept]
  points = points[kept]
  cropped = points_to_crop(points, crop_box(points), image_size)
  return cropped, times.astype(np.float64), given.times is None


def _regular(path, points, times, frames, fps, remarks) -> Driver:
  """Resamples points to a constant rate by linear interpolation."""
  name = path.name if path.is_dir() else path.stem
  if len(times) == 1:
    return Driver(name, points, frames, fps or STILL_FPS, remarks)
  fps = fps or round(float(1 / np.median(np.diff(times))), 3)
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
    frames = frames[np.where(weight.ravel() < 0.5, left, right)]
  return Driver(name, mixed.astype(np.float32), frames, fps, remarks)
