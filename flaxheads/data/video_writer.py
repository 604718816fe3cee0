"""Writing video as H.264 in MP4, which browsers play."""

import contextlib
import fractions
import os
import sys
from pathlib import Path

import av
import numpy as np

from flaxheads.data.output_files import Seal, atomic_path
from flaxheads.data.video import MAX_FPS
from flaxheads.errors import UserError, check_range

_BT709 = 1  # BT.709 in ITU-T H.273: matrix, primaries and transfer


class VideoWriter:
  """Writes H.264 (yuv420p, BT.709) in MP4; the file is complete or absent.

  A context manager. If the body raises, an existing file of that name stays
  untouched. Frames of odd size are padded by their last row or column: 4:2:0
  chroma needs even sizes.
  """

  def __init__(
    self,
    path: str | os.PathLike,
    fps: float,
    *,
    crf: int = 18,
    seal: Seal | None = None,
  ):
    """Makes a writer; the file is opened on entering the context.

    Args:
      path: a name that ends in .mp4, in an existing folder.
      fps: frames per second.
      crf: quality of x264, 0 (lossless) to 51; 18 is visually lossless.
      seal: signs the file before it gets its name; see `output_files`.
    """
    self.path = Path(path)
    if self.path.suffix.lower() != '.mp4':
      raise UserError(f'{path}: video is written as MP4; end the name in .mp4')
    check_range('fps', fps, 0.1, MAX_FPS)
    check_range('crf', crf, 0, 51)
    self._rate = fractions.Fraction(fps).limit_denominator(1001)
    self._crf, self._seal = crf, seal
    self._stream = self._shape = None

  def __enter__(self) -> 'VideoWriter':
    self._atomic = atomic_path(self.path)
    self._temporary = self._atomic.__enter__()
    self._container = av.open(
      str(self._temporary), 'w', options={'movflags': 'faststart'}
    )
    return self

  def write(self, frame: np.ndarray) -> None:
    """Appends a frame, uint8 RGB [H, W, 3]; all must have the same shape."""
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
      raise ValueError(
        f'frame must be uint8 [H, W, 3], not {frame.dtype} {frame.shape}'
      )
    if self._stream is None:
      self._start(frame.shape)
    elif frame.shape != self._shape:
      raise ValueError(f'frame is {frame.shape}, the first was {self._shape}')
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
      frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), 'edge')
    image = av.VideoFrame.from_ndarray(frame, format='rgb24')
    image = image.reformat(format='yuv420p', dst_colorspace='ITU709', threads=1)
    image.pts = self._count
    image.time_base = 1 / self._rate
    self._count += 1
    self._container.mux(self._stream.encode(image))

  def _start(self, shape):
    self._shape, self._count = shape, 0
    stream = self._container.add_stream(
      'libx264', rate=self._rate, options={'crf': str(self._crf)}
    )
    stream.height, stream.width = (
      shape[0] + shape[0] % 2,
      shape[1] + shape[1] % 2,
    )
    stream.pix_fmt = 'yuv420p'
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = 1  # limited range, which players expect
    self._stream = stream

  def __exit__(self, *error) -> None:
    try:
      if error[0] is None:
        self._finish()
    except BaseException:
      self._abandon(*sys.exc_info())
      raise
    (self._atomic.__exit__ if error[0] is None else self._abandon)(*error)

  def _finish(self):
    if self._stream is None:
      raise ValueError(f'{self.path}: no frame was written')
    self._container.mux(self._stream.encode())
    self._container.close()
    if self._seal:
      self._seal(self._temporary, self.path.name)

  def _abandon(self, *error):
    with contextlib.suppress(av.FFmpegError, OSError):  # fails on a full disk
      self._container.close()
    self._atomic.__exit__(*error)
