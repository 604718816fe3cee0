"""Decodes a video once, and looks for faces in some of its frames."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from flaxheads.data.preparation.quality import sharpness
from flaxheads.data.preparation.shots import Cuts, Look
from flaxheads.data.video import VideoReader
from flaxheads.landmarks.detect import Detector

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
  held = num_looked = count = 0
  for count, (image, time) in enumerate(VideoReader(path), 1):
    cuts.add(image)
    index = count - 1
    if index % stride:
      continue
    faces = detector(image)
    num_looked += 1
    sharp = [sharpness(image, face) for face in faces]
    looks.append(Look(index, time, faces, sharp, image.shape[:2]))
    if images is not None:
      images[index] = image
      held += image.nbytes
    if len(looks) > max_looks:
      looks, stride = looks[::2], 2 * stride
      if images is not None:
        images = {look.index: images[look.index] for look in looks}
        held = sum(each.nbytes for each in images.values())
    if held > _MAX_HELD:
      images, held = None, 0
  return Scan(path, looks, cuts.found(), count, num_looked, images)


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
