"""The support frames of a person, and the uncropped image of the first one."""

import collections
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from flaxheads.data import image as images
from flaxheads.data.clip import FaceClip, remarks_of
from flaxheads.data.face_clips import load_face_clip
from flaxheads.data.kinds import IMAGE, VIDEO, kind_of, list_images
from flaxheads.data.video import VideoReader
from flaxheads.errors import UserError, check_range
from flaxheads.landmarks.crop import CropBox, turn_image
from flaxheads.landmarks.detect import Detector

DEFAULT_NUM_SHOTS = 32
MAX_SIDE = 1920  # pixels; larger portraits are downscaled


class Portrait(NamedTuple):
  """The uncropped image of a face, for pasting a head back.

  Attributes:
    image: uint8 RGB [H, W, 3].
    box: the square of the face crop in the image.
  """

  image: np.ndarray
  box: CropBox


def read_portrait(clip: FaceClip) -> Portrait:
  """Reads the uncropped image of a clip's first frame."""
  path, number = Path(clip.source), int(clip.kept[0])
  if path.is_dir() or kind_of(path) == IMAGE:
    image = images.read_image(list_images(path)[number])
    image = turn_image(image, clip.turns[0])
  else:
    reader = VideoReader(path, max_frames=number + 1)
    reader.turns = clip.turns[0]
    image = collections.deque(reader, maxlen=1).pop().image
  return shrink(Portrait(image, clip.box))


def shrink(portrait: Portrait, max_side: int = MAX_SIDE) -> Portrait:
  """Downscales a portrait to at most `max_side` pixels on a side."""
  height, width = portrait.image.shape[:2]
  scale = max_side / max(height, width)
  if scale >= 1:
    return portrait
  size = (max(1, round(width * scale)), max(1, round(height * scale)))
  small = Image.fromarray(portrait.image).resize(size, Image.Resampling.LANCZOS)
  x_scale, y_scale = size[0] / width, size[1] / height
  x0, y0, side = portrait.box
  return Portrait(
    np.asarray(small), CropBox(x0 * x_scale, y0 * y_scale, side * scale)
  )


class Support(NamedTuple):
  """T frames of one person.

  Attributes:
    frames: uint8 [T, S, S, 3].
    points: float32 [T, 68, 2] in pixels.
    remarks: messages for the user about omitted frames.
    sides: float64 [T], sides of the crops in pixels of the source.
    portrait: the uncropped image of the first frame.
    gaze: float32 [T, 2, 2], see landmarks/gaze.py; None: unknown.
  """

  frames: np.ndarray
  points: np.ndarray
  remarks: list[str]
  sides: np.ndarray
  portrait: Portrait
  gaze: np.ndarray | None = None


def _spread(count: int, wanted: int) -> np.ndarray:
  return np.linspace(0, count - 1, wanted).round().astype(int)


def _clips(path: Path, image_size: int, **options) -> list[FaceClip]:
  """One clip for a file or a folder of images; one per video of a folder."""
  if not path.exists():
    raise UserError(
      f'{path}: no such file or folder; give an image, a video, or a folder of'
      ' either'
    )
  if not path.is_dir():
    return [load_face_clip(path, image_size, one_shot=True, **options)]
  names = sorted(p for p in path.iterdir() if not p.name.startswith('.'))
  clips = [p for p in names if kind_of(p) == VIDEO]
  images = [p for p in names if kind_of(p) == IMAGE]
  if clips and images:
    raise UserError(
      f'{path}: holds images and videos; give a folder of one kind'
    )
  if clips and options['landmarks'] is not None:
    raise UserError(
      f'{path}: --landmarks needs one video, or a folder of images'
    )
  if clips:
    return [
      load_face_clip(clip, image_size, one_shot=True, **options)
      for clip in clips
    ]
  return [load_face_clip(path, image_size, **options)]


def load_support(
  path: str | os.PathLike,
  image_size: int,
  num_shots: int | None = None,
  *,
  face: int | None = None,
  landmarks: str | os.PathLike | None = None,
  detector: Detector | None = None,
  max_frames: int | None = None,
) -> Support:
  """Reads the support frames of a person.

  Args:
    path: an image, a video, or a folder of either.
    image_size: side of the crops in pixels.
    num_shots: T, spread evenly over all frames; None: all, at most 32.
    face: index of the face, from the left, where there are several.
    landmarks: an .npz file with the points of every frame.
    detector: see flaxheads/landmarks/detect.py; None makes the default one.
    max_frames: read at most this many frames of each video.

  Raises:
    UserError: a file cannot be read, or fewer than T frames show a face.
  """
  if num_shots is not None:
    check_range('--num_shots', num_shots, 1)
  path = Path(path).expanduser()
  clips = _clips(
    path,
    image_size,
    face=face,
    landmarks=landmarks,
    detector=detector,
    max_frames=max_frames,
  )
  frames = np.concatenate([clip.frames for clip in clips])
  points = np.concatenate([clip.points for clip in clips])
  if num_shots is not None and num_shots > len(frames):
    raise UserError(
      f'{path}: has {len(frames)} frames with a face, fewer than '
      f'--num_shots={num_shots}; give at most {len(frames)}'
    )
  chosen = _spread(
    len(frames), num_shots or min(len(frames), DEFAULT_NUM_SHOTS)
  )
  remarks = [text for clip in clips for text in remarks_of(clip)]
  sides = np.array([box.side for clip in clips for box in clip.boxes])
  # The first chosen frame is the first frame of all.
  portrait = read_portrait(clips[0])
  gaze = [clip.gaze for clip in clips]
  known = all(each is not None for each in gaze)
  return Support(
    frames[chosen],
    points[chosen],
    remarks,
    sides[chosen],
    portrait,
    np.concatenate(gaze)[chosen] if known else None,
  )
