"""Footage with a face that detectors find: skimage's astronaut, moved."""

import av
import cv2
import numpy as np
import skimage

from flaxheads.data.image import write_png
from flaxheads.data.video_writer import VideoWriter

SIDE = 192


def portrait(angle=0.0, zoom=1.0, shift=(0.0, 0.0)) -> np.ndarray:
  """The astronaut's face, turned by degrees, zoomed and shifted by pixels.

  Returns:
    uint8 [192, 192, 3].
  """
  picture = skimage.data.astronaut()
  matrix = cv2.getRotationMatrix2D((224, 112), angle, zoom * 0.75)
  matrix[:, 2] += SIDE / 2 - 224 + shift[0], SIDE / 2 - 112 + shift[1]
  return cv2.warpAffine(picture, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA)


def frames(count, swing=10.0):
  """A face that tilts from one side to the other and comes closer."""
  for i in np.linspace(-1, 1, count):
    yield portrait(swing * i, 1 + 0.1 * i, (8 * i, 4 * i))


def two_faces() -> np.ndarray:
  """A group picture, uint8 [192, 384, 3]."""
  return np.concatenate([portrait(), portrait(5)[:, ::-1]], axis=1)


def write_video(path, count, fps, swing=10.0):
  """Writes the tilting face."""
  with VideoWriter(path, fps) as writer:
    for frame in frames(count, swing):
      writer.write(frame)


def write_pictures(folder, count):
  """Writes the tilting face as a folder of PNG files."""
  folder.mkdir()
  for i, frame in enumerate(frames(count)):
    write_png(folder / f'{i}.png', frame)


def write_talking(path, silent, hertz=440):
  """The pictures of the video `silent` with a tone that begins at 0.1 s."""
  with (
    av.open(str(silent)) as opened,
    av.open(str(path), 'w') as output,
  ):
    template = opened.streams.video[0]
    pictures = output.add_stream_from_template(template)
    sound = output.add_stream('pcm_s16le', rate=44_100, layout='mono')
    time = np.arange(round(0.24 * 44_100)) / 44_100
    wave = 0.5 * np.sin(2 * np.pi * hertz * time) * (time > 0.1)
    piece = (wave * 32767).astype(np.int16)[None]
    piece = av.AudioFrame.from_ndarray(piece, 's16', 'mono')
    piece.sample_rate = 44_100
    for packet in [p for p in opened.demux(template) if p.dts is not None]:
      packet.stream = pictures
      output.mux(packet)
    output.mux(sound.encode(piece))
    output.mux(sound.encode())
