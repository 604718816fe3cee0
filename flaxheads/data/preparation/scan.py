"""Decodes a video once, and detects faces in some of its frames."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from flaxheads.data.preparation.quality import sharpness
from flaxheads.data.preparation.shots import Cuts, ScannedFrame
from flaxheads.data.video import VideoReader
from flaxheads.data.video_frames import grouped
from flaxheads.landmarks.detect import Detector, find_faces
from flaxheads.landmarks.face_finder import BATCH_SIZE

_MAX_HELD = 256 << 20  # bytes of frames kept for the crop


class Scan(NamedTuple):
  """What is in a file.

  Attributes:
    path: of the file.
    frames: those in which faces were detected, evenly spaced.
    cuts: numbers of the frames that begin another shot.
    num_frames: decoded.
    num_scanned: frames in which faces were detected, also those given up.
    images: {frame number: uint8 RGB [H, W, 3]} of `frames`; None if they
      take too much memory and must be read again.
  """

  path: str
  frames: list[ScannedFrame]
  cuts: list[int]
  num_frames: int
  num_scanned: int
  images: dict[int, np.ndarray] | None


class _Numbered(NamedTuple):
  image: np.ndarray
  time: float
  index: int


def scan(path: str, stride: int, max_frames: int, detector: Detector) -> Scan:
  """Reads a file from beginning to end.

  Args:
    path: a video.
    stride: distance of the frames in which faces are detected.
    max_frames: beyond it every other frame is given up and the stride doubles,
      because a file may be longer than its header says.
    detector: of faces.

  Returns:
    Scan.

  Raises:
    UserError: not a video, or without a frame that can be decoded.
  """
  cuts, frames, images = Cuts(), [], {}
  counts = {'decoded': 0, 'scanned': 0}

  def chosen():
    """Frames whose number is a multiple of the current stride."""
    for index, frame in enumerate(VideoReader(path)):
      cuts.add(frame.image)
      counts['decoded'] += 1
      if index % stride == 0:
        yield _Numbered(frame.image, frame.time, index)

  for group in grouped(chosen(), BATCH_SIZE):
    counts['scanned'] += len(group)
    found = find_faces(detector, [frame.image for frame in group])
    for (image, time, index), faces in zip(group, found, strict=True):
      sharp = [sharpness(image, face) for face in faces]
      frames.append(ScannedFrame(index, time, faces, sharp, image.shape[:2]))
      if images is not None:
        images[index] = image
    while len(frames) > max_frames:
      frames, stride = frames[::2], 2 * stride
      if images is not None:
        images = {frame.index: images[frame.index] for frame in frames}
    if images and sum(each.nbytes for each in images.values()) > _MAX_HELD:
      images = None
  return Scan(path, frames, cuts.found(), *counts.values(), images)


def read_frames(
  scanned: Scan, indices: list[int]
) -> Iterator[tuple[int, np.ndarray]]:
  """Images of some scanned frames, in order.

  Args:
    scanned: Scan.
    indices: frame numbers, rising; each of a scanned frame.

  Yields:
    (frame number, uint8 RGB [H, W, 3]).
  """
  if scanned.images is not None:
    yield from ((index, scanned.images[index]) for index in indices)
    return
  wanted = set(indices)
  for index, (image, _) in enumerate(VideoReader(scanned.path)):
    if index in wanted:
      yield index, image
      wanted.remove(index)
      if not wanted:
        return
