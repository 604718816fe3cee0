"""Reads sound, and copies that of a driver to a rendered video."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from absl import logging

from flaxheads.data import timestamps
from flaxheads.data.container import has_video, open_sound, video_stream
from flaxheads.errors import UserError

RATE = 48_000  # samples per second; mono becomes stereo
BITS_PER_SECOND = 160_000
# Container timestamps are coarse: smaller differences are not gaps.
_TOLERANCE = 0.02  # seconds
_MAX_SECONDS = 4 * 3600.0
_USUAL_GAP = 1024 / RATE  # between frames of AAC, seconds


def has_sound(path: str | os.PathLike) -> bool:
  """Whether a file has a sound stream of a known codec."""
  with open_sound(path) as container:
    return _sound_stream(container) is not None


def read_sound(path: str | os.PathLike) -> Iterator[np.ndarray]:
  """Reads the sound that `add_sound` adds, from the start to its end.

  Args:
    path: a video or a sound file.

  Yields:
    float32 [n], mono, RATE samples per second, in pieces.

  Raises:
    UserError: the file is missing, damaged, or has no sound.
  """
  path = Path(path)
  if not path.is_file():
    what = 'is a folder' if path.is_dir() else 'no such file'
    raise UserError(f'{path}: {what}; give a file with speech')
  if not has_sound(path):
    raise UserError(f'{path}: has no sound; give a file with speech')
  count = 0
  for piece in _samples(path, 0.0, _MAX_SECONDS):
    count += piece.shape[1]
    yield piece.mean(0)
  if not count:
    raise UserError(
      f'{path}: no sound can be decoded; the file is damaged or truncated, '
      'give a complete one'
    )


def add_sound(
  path: Path, source: str | os.PathLike, start: float, seconds: float
) -> None:
  """Adds the sound of `source` to the silent mp4 `path`, in place.

  The video stream is copied unchanged; the sound is re-encoded as AAC. Gaps
  become silence. Damaged sound ends there, with a warning. If no sound can be
  added, a warning says why, and `path` stays as it is: rendering took longer.

  Args:
    path: an mp4 without sound that starts at 0.
    source: a video or a sound file; if it has no sound, nothing changes.
    start: start of the mp4, in seconds after the first frame of `source`.
    seconds: duration of the mp4.
  """
  try:
    if has_sound(source):
      _mux(path, source, start, seconds)
  except (av.FFmpegError, OSError, ValueError) as error:
    reason = str(error).removeprefix(f'{source}: ')
    logging.warning(
      '%s: its sound cannot be copied, the video is silent (%s)', source, reason
    )


def _mux(path, source, start, seconds) -> None:
  """Replaces `path` by a copy with sound."""
  mixed = path.with_name(f'{path.name}.sound.mp4')
  try:
    with (
      av.open(str(path)) as silent,
      av.open(str(mixed), 'w', options={'movflags': 'faststart'}) as output,
    ):
      video = silent.streams.video[0]
      stream = output.add_stream_from_template(video)
      voice = output.add_stream('aac', rate=RATE, layout='stereo')
      voice.bit_rate = BITS_PER_SECOND
      pieces = _padded(_samples(source, start, seconds), seconds)
      packets = _encoded(voice, pieces)
      _interleave(output, stream, silent.demux(video), packets)
    os.replace(mixed, path)
  finally:
    mixed.unlink(missing_ok=True)


def _interleave(output, stream, packets, sounds) -> None:
  """Muxes both streams in order of time, as streaming players need it."""
  sound = next(sounds, None)
  for packet in packets:
    if packet.dts is None:  # the flush packet at the end
      continue
    while sound and sound.dts * sound.time_base <= packet.dts * (
      packet.time_base
    ):
      output.mux(sound)
      sound = next(sounds, None)
    packet.stream = stream
    output.mux(packet)
  while sound:
    output.mux(sound)
    sound = next(sounds, None)


def _encoded(stream, pieces) -> Iterator[av.Packet]:
  written = 0
  for piece in pieces:
    frame = av.AudioFrame.from_ndarray(piece, format='fltp', layout='stereo')
    frame.sample_rate, frame.pts = RATE, written
    written += piece.shape[1]
    yield from stream.encode(frame)
  yield from stream.encode(None)


def _sound_stream(container):
  """The first sound stream of a known codec, or None."""
  streams = container.streams.audio
  return next((s for s in streams if s.codec_context), None)


def _samples(source, start, seconds) -> Iterator[np.ndarray]:
  """Yields float32 [2, n] up to `seconds`, with silence in gaps."""
  position, end = 0, round(seconds * RATE)
  for time, piece in _decoded(source):
    first = round((time - start) * RATE)
    if first >= end:
      break
    if first > position + _TOLERANCE * RATE:
      yield from _silence(first - position)
      position = first
    late = max(0, position - first)  # before the start, or repeated
    if late <= _TOLERANCE * RATE and position:
      late = 0
    piece = piece[:, late : late + end - position]
    if piece.shape[1]:
      yield np.ascontiguousarray(piece)
      position += piece.shape[1]


def _padded(pieces, seconds) -> Iterator[np.ndarray]:
  """Appends silence to float32 [2, n] up to `seconds`."""
  position = 0
  for piece in pieces:
    yield piece
    position += piece.shape[1]
  yield from _silence(round(seconds * RATE) - position)


def _silence(count: int) -> Iterator[np.ndarray]:
  for begin in range(0, count, RATE):
    yield np.zeros((2, min(RATE, count - begin)), np.float32)


def _first_time(source) -> float:
  """Time of the first frame, the zero of VideoReader; 0 without frames."""
  with open_sound(source) as container:
    if not has_video(container):
      return 0.0
    stream = video_stream(container, source)
    gap = 1 / float(stream.average_rate or 25)
    try:
      frames = ((frame.time, None) for frame in container.decode(stream))
      return next(timestamps.mend(frames, gap), (0.0, None))[0]
    except (av.FFmpegError, OSError):
      return 0.0


def _decoded(source) -> Iterator[tuple[float, np.ndarray]]:
  """Yields (time after the first frame, samples float32 [2, n])."""
  first = _first_time(source)
  with open_sound(source) as container:
    try:
      frames = container.decode(_sound_stream(container))
      for time, piece in timestamps.mend(_resampled(frames), _USUAL_GAP):
        yield time - first, piece
    except (av.FFmpegError, OSError, ValueError):
      logging.warning('%s: the sound is damaged and ends early', source)


def _resampled(frames) -> Iterator[tuple[float, np.ndarray]]:
  """Yields (time, samples float32 [2, n]) of frames of any format.

  Broadcasts and joined files change it midway. A resampler is bound to the
  format of its first frame, or passes all frames through if that needs nothing.
  """
  for _, same in itertools.groupby(frames, _format):
    resampler = av.AudioResampler(format='fltp', layout='stereo', rate=RATE)
    end = None
    for frame in itertools.chain(same, [None]):  # None flushes
      time = end if frame is None else frame.time
      for part in resampler.resample(frame):
        if time is not None:
          yield time, part.to_ndarray()
      if frame is not None and time is not None:
        end = time + frame.samples / frame.sample_rate


def _format(frame):
  return frame.format.name, frame.layout.name, frame.sample_rate
