"""Decoded video frames: reading ahead, frame rate, orientation."""

import collections
import concurrent.futures
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from flaxheads.data import hdr

_UNSPECIFIED = 2  # "unspecified" in ITU-T H.273


class VideoFrame(NamedTuple):
  """One frame: `image` uint8 RGB [H, W, 3], `time` in s since the first."""

  image: np.ndarray
  time: float


def ahead(items: Iterable, count: int) -> Iterator:
  """Iterates in a background thread, at most `count` items in advance.

  If it may not be exhausted, close it, for instance by `contextlib.closing`.

  Args:
    items: an exception of this iterable is raised in the caller.
    count: at least 1.

  Yields:
    The items, in order.
  """
  iterator, end = iter(items), object()
  executor = concurrent.futures.ThreadPoolExecutor(1)

  def submit():
    return executor.submit(next, iterator, end)

  try:
    pending = collections.deque(submit() for _ in range(count))
    while (item := pending.popleft().result()) is not end:
      pending.append(submit())
      yield item
  finally:  # waits for the running item only
    executor.shutdown(cancel_futures=True)


def grouped(
  frames: Iterable[VideoFrame], count: int, max_bytes: int = 64 << 20
) -> Iterator[list[VideoFrame]]:
  """Lists of `count` consecutive frames; fewer last, or where they are large.

  Args:
    frames: of one size.
    count: at least 1.
    max_bytes: of a list; a frame that is larger comes alone.

  Yields:
    Lists of at least one frame.
  """
  group = []
  for frame in frames:
    group.append(frame)
    most = min(count, max_bytes // frame.image.nbytes)
    if len(group) >= most:
      yield group
      group = []
  if group:
    yield group


def apply_display_matrix(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
  """Rotates and flips a frame by the display matrix of its video.

  Args:
    image: uint8 [H, W, 3] as stored.
    matrix: int32 [9], row by row, 16.16 fixed point; see ISO/IEC 14496-12.
      Cameras store quarter turns and flips only; other angles are rounded to
      the nearest of these.

  Returns:
    uint8 [H, W, 3] or [W, H, 3] as displayed.
  """
  # Rows (a, b, u), (c, d, v): x' = ax + cy and y' = bx + dy.
  a, b, _, c, d = (int(n) for n in matrix[:5])
  if abs(a) + abs(d) >= abs(b) + abs(c):
    image = image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
  else:
    image = image.transpose(1, 0, 2)
    image = image[:: -1 if b < 0 else 1, :: -1 if c < 0 else 1]
  return np.ascontiguousarray(image)


def resample(frames: Iterator[VideoFrame], fps: float) -> Iterator[VideoFrame]:
  """Yields the nearest frame for each time k / fps."""
  previous, step, k = None, 1 / fps, 0
  for frame in frames:
    if previous is not None:
      step = frame.time - previous.time
      while k / fps < (previous.time + frame.time) / 2:
        yield VideoFrame(previous.image, k / fps)
        k += 1
    previous = frame
  # The last frame lasts as long as the one before it.
  while previous is not None and k / fps < previous.time + step - 1e-6:
    yield VideoFrame(previous.image, k / fps)
    k += 1


def display_matrix(frame) -> np.ndarray | None:
  """The display matrix, int32 [9], of an av.VideoFrame; None: has none.

  For the first frame only: a frame whose side data were read refers to itself,
  and is freed hundreds of frames later.
  """
  matrix = frame.side_data.get('DISPLAYMATRIX')
  return None if matrix is None else np.frombuffer(bytes(matrix), np.int32)


def to_display(frame, size, aspect, matrix) -> np.ndarray:
  """Converts a decoded frame to square pixels, SDR and display orientation.

  Args:
    frame: an av.VideoFrame.
    size: width and height of the first frame, pixels.
    aspect: width of a pixel over its height; None: unknown.
    matrix: of `display_matrix`.

  Returns:
    uint8 RGB [H, W, 3].
  """
  width, height = size
  if aspect and 0.25 <= aspect <= 4:
    width = round(width * float(aspect))
  # By convention untagged video is BT.601 below 720 rows, else BT.709.
  guess = 'ITU709' if frame.height >= 720 else 'ITU601'
  wide = hdr.needs_mapping(frame)
  image = frame.reformat(
    width=width,
    height=height,
    format='rgb48le' if wide else 'rgb24',
    src_colorspace=guess if frame.colorspace == _UNSPECIFIED else None,
    dst_colorspace=None,
    threads=1,
  ).to_ndarray()
  if wide:
    image = hdr.to_sdr(image, frame.color_trc)
  return image if matrix is None else apply_display_matrix(image, matrix)
