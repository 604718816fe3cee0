"""Decodes a video once, and looks for faces in some of its frames."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from flaxheads.data.preparation.quality import sharpness
from flaxheads.data.preparation.shots import Cuts, Look
from flaxheads.data.video import VideoReader
from flaxheads.data.video_frames import grouped
from flaxheads.landmarks.detect import Detector, find_faces
from flaxheads.landmarks.face_finder import BATCH_SIZE

_MAX_HELD = 256 << 20  # bytes of frames kept for the crop


class Scan(NamedTuple):
  """What is in a file.

  Attributes:
    path: of the file.
    looks: frames in which faces were looked for, evenly spread.
    cuts: numbers of the frames that begin another shot.
    num_frames: decoded.
    num_looked: frames in which faces were looked for, also those given up.
    images: {frame number: uint8 RGB [H, W, 3]} of the looks; None where they
      take too much memory and must be read again.
  """

  path: str
  looks: list[Look]
  cuts: list[int]
  num_frames: int
  num_looked: int
  images: dict[int, np.ndarray] | None


class _Numbered(NamedTuple):
  image: np.ndarray
  time: float
  index: int


def scan(path: str, stride: int, max_looks: int, detector: Detector) -> Scan:
  """Reads a file from beginning to end.

  Args:
    path: a video.
    stride: look for faces in every so many-th frame.
    max_looks: where there are more, every other one is given up and the
      stride doubles: a file may be longer than it says.
    detector: of faces.

  Returns:
    Scan.

  Raises:
    UserError: not a video, or without a frame that can be decoded.
  """
  cuts, looks, images = Cuts(), [], {}
  counts = {'decoded': 0, 'looked': 0}

  def chosen():
    """Frames whose number is a multiple of the stride as it is by then."""
    for index, frame in enumerate(VideoReader(path)):
      cuts.add(frame.image)
      counts['decoded'] += 1
      if index % stride == 0:
        yield _Numbered(frame.image, frame.time, index)

  for group in grouped(chosen(), BATCH_SIZE):
    counts['looked'] += len(group)
    found = find_faces(detector, [frame.image for frame in group])
    for (image, time, index), faces in zip(group, found, strict=True):
      sharp = [sharpness(image, face) for face in faces]
      looks.append(Look(index, time, faces, sharp, image.shape[:2]))
      if images is not None:
        images[index] = image
    while len(looks) > max_looks:
      looks, stride = looks[::2], 2 * stride
      if images is not None:
        images = {look.index: images[look.index] for look in looks}
    if images and sum(each.nbytes for each in images.values()) > _MAX_HELD:
      images = None
  return Scan(path, looks, cuts.found(), *counts.values(), images)


def read_frames(
  scanned: Scan, indices: list[int]
) -> Iterator[tuple[int, np.ndarray]]:
  """Frames of some looks, in order.

  Args:
    scanned: Scan.
    indices: frame numbers, rising; each that of a look.

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
