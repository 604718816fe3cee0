"""Reading video: RGB frames in display orientation, with their times.

Limits protect against hostile files. Only this module, container.py,
video_writer.py and sound.py use PyAV.
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from absl import logging

from flaxheads.data import hdr, timestamps
from flaxheads.data import image as images
from flaxheads.data.container import open_container, video_stream
from flaxheads.data.kinds import is_animation
from flaxheads.data.video_frames import (
  VideoFrame,
  display_matrix,
  resample,
  to_display,
)
from flaxheads.errors import UserError, check_range
from flaxheads.landmarks.crop import turn_image

MAX_PIXELS = 64_000_000  # per frame
MAX_FRAMES = 100_000  # 67 minutes at 25 frames/s
MAX_SECONDS = 4 * 3600.0
MAX_BYTES = 4 << 30  # of decoded frames in read_video
MAX_FPS = 240.0


class Video(NamedTuple):
  """A whole video in memory.

  Attributes:
    frames: list of F frames uint8 RGB [H, W, 3], all of one size.
    times: float64 [F] in seconds, increasing from 0.
    fps: frames per second; the average if it varies.
    truncated: whether the file ends before its last frame.
  """

  frames: list[np.ndarray]
  times: np.ndarray
  fps: float
  truncated: bool


class VideoReader:
  """Iterates over the frames of a video or animation, one in memory at a time.

  Applies the display matrix and the pixel aspect ratio. Times are those of the
  container, also at a variable frame rate; wrong ones are mended, see
  timestamps.py. One video stream is decoded, see container.py.

  Attributes:
    frame_rate: frames per second, the average according to the file.
    tick: of the file's clock, in seconds.
    estimated_frames: number of frames according to the file.
    truncated: whether the last iteration met the end of the file too early.
    turns: quarter turns to the left that are applied to each frame; may be set
      before an iteration.

  Raises:
    UserError: on construction or iteration, if the file is missing, is not a
      video, has no decodable frame or exceeds a limit.
  """

  def __init__(
    self,
    path: str | os.PathLike,
    *,
    max_frames: int | None = None,
    fps: float | None = None,
    max_pixels: int = MAX_PIXELS,
    max_seconds: float = MAX_SECONDS,
  ):
    """Checks the file.

    Args:
      path: the video file.
      max_frames: stop after this many frames; None: read all, and refuse a
        video of more than MAX_FRAMES.
      fps: resample to this rate by nearest frames; None: keep all frames.
      max_pixels: larger frames are refused.
      max_seconds: longer videos are refused, unless max_frames ends them.
    """
    self.path = Path(path)
    self.truncated = False
    self.turns = 0
    self._warned = set()
    self._max_frames = max_frames
    self._fps = fps
    self._max_pixels = max_pixels
    self._max_seconds = max_seconds
    if max_frames is not None:
      check_range('max_frames', max_frames, 1, None)
    if fps is not None:
      check_range('fps', fps, 0.1, MAX_FPS)
    if not self.path.is_file():
      what = 'is a folder' if self.path.is_dir() else 'no such file'
      raise UserError(f'{path}: {what}; give a video')
    if not self.path.stat().st_size:
      raise UserError(f'{path}: the file is empty; give a video')
    self._animated = is_animation(self.path)
    rate, frames, self.tick = (
      self._measure_animation() if self._animated else self._measure()
    )
    self.frame_rate = float(rate) if rate and 0 < rate <= 1000 else 25.0
    self.estimated_frames = min(max(frames, 1), MAX_FRAMES)

  def _measure(self):
    """The rate (0: unknown), the number of frames, and a tick in seconds."""
    with open_container(self.path) as container:
      stream = video_stream(container, self.path)
      self._index = stream.index
      seconds = float(
        stream.duration * stream.time_base
        if stream.duration
        else (container.duration or 0) / av.time_base
      )
      rate = float(stream.guessed_rate or stream.average_rate or 0)
      frames = stream.frames or round(seconds * (rate or 25))
      return rate, frames, float(stream.time_base)

  def _measure_animation(self):
    with images.open_image(self.path, self._max_pixels) as image:
      image.load()
      duration = image.info.get('duration', 0)  # whole milliseconds
      rate = 1000 / duration if duration else 0
      whole = round(rate)
      if whole and abs(1000 / whole - duration) < 1:
        rate = whole
      return rate, image.n_frames, 1e-3

  def __iter__(self) -> Iterator[VideoFrame]:
    frames = self._decode()
    if self._fps is not None:
      frames = resample(frames, self._fps)
    count = -1
    for count, frame in enumerate(frames):
      if count == MAX_FRAMES:
        raise UserError(
          f'{self.path}: has more than {MAX_FRAMES} frames; split it or read'
          ' fewer (max_frames)'
        )
      yield frame
      if count + 1 == self._max_frames:
        return
    if count < 0:
      raise UserError(
        f'{self.path}: no frame can be decoded; the file is damaged or'
        ' truncated, give a complete video'
      )
    if self.truncated:
      self._warn(
        f'damaged or truncated; using the {count + 1} frames before that'
      )

  def _warn(self, text: str) -> None:
    """Logs a warning, in the first iteration only."""
    if text not in self._warned:
      self._warned.add(text)
      logging.warning('%s: %s', self.path, text)

  def _decode(self) -> Iterator[VideoFrame]:
    """Yields every frame, with increasing times that start at 0."""
    self.truncated = False
    start = None
    stamped = self._animation() if self._animated else self._stream()
    for time, image in timestamps.mend(
      stamped, 1 / self.frame_rate, self._warn
    ):
      start = time if start is None else start
      if time - start > self._max_seconds:
        raise UserError(
          f'{self.path}: is longer than {self._max_seconds:g} s; split it or'
          ' read fewer frames (max_frames)'
        )
      yield VideoFrame(turn_image(image(), self.turns), time - start)

  def _animation(self):
    """Yields (time, function that returns the image)."""
    time = None
    try:
      for time, image in images.read_animation(self.path, self._max_pixels):
        yield time, lambda image=image: image
    except UserError:
      if time is None:
        raise
      self.truncated = True

  def _stream(self):
    """As `_animation`: converts late, because decoded frames are smaller."""
    with open_container(self.path) as container:
      stream = container.streams[self._index]
      self._check_size(stream.codec_context.width, stream.codec_context.height)
      # The bitstream may declare another size than the container.
      stream.codec_context.options = {'max_pixels': str(self._max_pixels)}
      stream.thread_type = 'AUTO'
      end = max((e.pos + e.size for e in stream.index_entries), default=0)
      self.truncated = end > self.path.stat().st_size
      size = matrix = None
      for frame in self._frames(container, stream):
        self._check_size(frame.width, frame.height)
        if size is None:
          size, matrix = (frame.width, frame.height), display_matrix(frame)
        if hdr.is_unknown(frame, stream.codec_context.codec_tag):
          self._warn(
            'its colours (ICtCp, or Dolby Vision profile 5) cannot be converted'
            ' and will look wrong; export it as SDR'
          )
        # Called when the container may be closed: no reference to the stream.
        aspect = stream.sample_aspect_ratio
        yield (
          frame.time,
          functools.partial(to_display, frame, size, aspect, matrix),
        )

  def _frames(self, container, stream) -> Iterator[av.VideoFrame]:
    """Decodes up to the end, or to the first error, and sets `truncated`."""
    try:
      yield from container.decode(stream)
    except (av.FFmpegError, OSError):
      self.truncated = True

  def _check_size(self, width: int, height: int):
    if width * height > self._max_pixels:
      raise UserError(
        f'{self.path}: has frames of {width}x{height} pixels; at most'
        f' {self._max_pixels / 1e6:g} megapixels are supported'
      )


def read_video(
  path: str | os.PathLike,
  *,
  max_frames: int | None = None,
  fps: float | None = None,
) -> Video:
  """Reads a video into memory; use `VideoReader` for long ones.

  Args:
    path: the video file.
    max_frames: stop after this many frames.
    fps: resample to this rate; None: keep all frames.

  Returns:
    The frames with their times.

  Raises:
    UserError: as `VideoReader`, or the frames take more than MAX_BYTES.
  """
  reader = VideoReader(path, max_frames=max_frames, fps=fps)
  frames, times, size = [], [], 0
  for image, time in reader:
    size += image.nbytes
    if size > MAX_BYTES:
      raise UserError(
        f'{path}: takes more than {MAX_BYTES >> 30} GiB; read fewer frames'
      )
    frames.append(image)
    times.append(time)
  span = times[-1] - times[0]
  rate = fps or ((len(frames) - 1) / span if span else reader.frame_rate)
  return Video(frames, np.array(times), rate, reader.truncated)
