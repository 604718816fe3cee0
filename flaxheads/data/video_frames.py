"""Frames of a video: their times and which way is up."""

import collections
import concurrent.futures
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

_UNSPECIFIED = 2  # the code of ITU-T H.273 for: nobody has said


class VideoFrame(NamedTuple):
  """One frame: `image` uint8 RGB [H, W, 3], `time` in s since the first."""

  image: np.ndarray
  time: float


def ahead(items: Iterable, count: int) -> Iterator:
  """Makes items in a thread of its own, at most `count` before they are used.

  Close it, as `contextlib.closing` does, where it may not come to its end.

  Args:
    items: what their making raises is raised where they are used.
    count: at least 1.

  Yields:
    The items, in order.
  """
  iterator, end = iter(items), object()
  maker = concurrent.futures.ThreadPoolExecutor(1)

  def make():
    return maker.submit(next, iterator, end)

  try:
    coming = collections.deque(make() for _ in range(count))
    while (item := coming.popleft().result()) is not end:
      coming.append(make())
      yield item
  finally:  # the one that is being made is waited for, and no other
    maker.shutdown(cancel_futures=True)


def turn(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
  """Turns and flips a frame as a video's display matrix says.

  Args:
    image: uint8 [H, W, 3] as stored.
    matrix: int32 [9], row by row, 16.16 fixed point; see ISO/IEC 14496-12.
      Cameras only store quarter turns and flips, so other angles are taken
      to the nearest.

  Returns:
    uint8 [H, W, 3] or [W, H, 3] as shown.
  """
  # Rows (a, b, u), (c, d, v): x' = ax + cy and y' = bx + dy.
  a, b, _, c, d = (int(n) for n in matrix[:5])
  if abs(a) + abs(d) >= abs(b) + abs(c):
    image = image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
  else:
    image = image.transpose(1, 0, 2)
    image = image[:: -1 if b < 0 else 1, :: -1 if c < 0 else 1]
  return np.ascontiguousarray(image)


def regular(frames: Iterator[VideoFrame], fps: float) -> Iterator[VideoFrame]:
  """For each time k / fps the nearest frame, dropped or repeated as needed."""
  previous, step, k = None, 1 / fps, 0
  for frame in frames:
    if previous is not None:
      step = frame.time - previous.time
      while k / fps < (previous.time + frame.time) / 2:
        yield VideoFrame(previous.image, k / fps)
        k += 1
    previous = frame
  # The last frame is shown for as long as the one before it.
  while previous is not None and k / fps < previous.time + step - 1e-6:
    yield VideoFrame(previous.image, k / fps)
    k += 1


def upright(frame, size, stream) -> np.ndarray:
  """A decoded frame with square pixels, turned as its metadata says.

  Args:
    frame: an av.VideoFrame.
    size: width and height of the first frame, pixels.
    stream: the av.VideoStream that it is of.

  Returns:
    uint8 RGB [H, W, 3].
  """
  width, height = size
  aspect = stream.sample_aspect_ratio
  if aspect and 0.25 <= aspect <= 4:
    width = round(width * float(aspect))
  # Untagged video is BT.601 in standard and BT.709 in high definition.
  guess = 'ITU709' if frame.height >= 720 else 'ITU601'
  image = frame.reformat(
    width=width,
    height=height,
    format='rgb24',
    src_colorspace=guess if frame.colorspace == _UNSPECIFIED else None,
    dst_colorspace=None,
  ).to_ndarray()
  matrix = frame.side_data.get('DISPLAYMATRIX')
  if matrix is None:
    return image
  return turn(image, np.frombuffer(bytes(matrix), np.int32))
