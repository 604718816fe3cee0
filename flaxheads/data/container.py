"""Opens untrusted video and sound files, and chooses the stream to read."""

import os

import av
from av.stream import Disposition

from flaxheads.errors import UserError

# Self-contained formats only: playlists may name other files and addresses.
_FORMATS = 'mov,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,gif'
_OPTIONS = {'format_whitelist': _FORMATS, 'protocol_whitelist': 'file'}
_SOUND_OPTIONS = _OPTIONS | {'format_whitelist': f'{_FORMATS},wav,mp3,aac,flac'}
_PROBED = 256  # packets that tell stills from videos


def open_container(path: str | os.PathLike):
  """Opens an untrusted file and checks that it holds video.

  Raises:
    UserError: the file is no video.
  """
  try:
    # With the prefix, 'http:x.mp4' is a file name.
    container = av.open(f'file:{path}', options=_OPTIONS)
  except (av.FFmpegError, ValueError, OSError) as error:
    raise UserError(
      f'{path}: is not a video of a known format, or truncated; give MP4, MOV,'
      ' MKV, WebM, AVI or MPEG'
    ) from error
  if not _candidates(container):
    only = ', only sound' if container.streams.audio else ''
    container.close()
    raise UserError(f'{path}: has no video stream{only}; give a video')
  return container


def open_sound(path: str | os.PathLike):
  """Opens an untrusted file of sound alone, or of video.

  Raises:
    UserError: the file is neither.
  """
  try:
    return av.open(f'file:{path}', options=_SOUND_OPTIONS)
  except (av.FFmpegError, ValueError, OSError) as error:
    raise UserError(
      f'{path}: is not sound of a known format, or damaged; give WAV, MP3,'
      ' M4A, FLAC, OGG, or a video with sound'
    ) from error


def has_video(container) -> bool:
  """Whether an open file holds video, not only sound and its cover."""
  return bool(_candidates(container))


def _candidates(container) -> list:
  """Streams that can be decoded, without the cover pictures of sound files."""
  return [
    stream
    for stream in container.streams.video
    if stream.codec_context
    and not stream.disposition & Disposition.attached_pic
  ]


def video_stream(container, path: str | os.PathLike):
  """The first video stream that moves, of several the default one.

  Args:
    container: of open_container; it is not read.
    path: the file; read again where there are several streams.
  """
  candidates = _candidates(container)
  if len(candidates) == 1:
    return candidates[0]
  counts = dict.fromkeys((stream.index for stream in candidates), 0)
  with open_container(path) as probe:
    try:
      streams = [probe.streams[index] for index in counts]
      for number, packet in enumerate(probe.demux(streams)):
        counts[packet.stream.index] += bool(packet.size)
        if number == _PROBED:
          break
    except (av.FFmpegError, OSError):
      pass  # the part before the damage tells

  def rank(stream):
    moves = counts[stream.index] > 1
    return moves, bool(stream.disposition & Disposition.default)

  return max(candidates, key=rank)  # the first of equals
