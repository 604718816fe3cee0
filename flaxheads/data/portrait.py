"""The whole picture that a crop was taken from, to paste a head back into."""

import collections
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from flaxheads.data import image as images
from flaxheads.data.clips import Clip, list_pictures
from flaxheads.data.video import VideoReader
from flaxheads.landmarks.crop import CropBox

MAX_SIDE = 1920  # pixels; larger pictures are shrunk


class Portrait(NamedTuple):
  """A picture with a face.

  Attributes:
    image: uint8 RGB [H, W, 3].
    box: the square in it that the face's crop shows.
  """

  image: np.ndarray
  box: CropBox


def read_portrait(clip: Clip) -> Portrait:
  """The picture behind the first frame of a clip, read once more."""
  path, number = Path(clip.source), int(clip.kept[0])
  if path.is_dir() or path.suffix.lower() in images.EXTENSIONS:
    image = images.read_image(list_pictures(path)[number])
  else:
    reader = VideoReader(path, max_frames=number + 1)
    image = collections.deque(reader, maxlen=1).pop().image
  return shrink(Portrait(image, clip.box))


def shrink(portrait: Portrait) -> Portrait:
  """At most 1920 pixels on a side."""
  height, width = portrait.image.shape[:2]
  scale = MAX_SIDE / max(height, width)
  if scale >= 1:
    return portrait
  size = (max(1, round(width * scale)), max(1, round(height * scale)))
  small = Image.fromarray(portrait.image).resize(size, Image.Resampling.LANCZOS)
  x_scale, y_scale = size[0] / width, size[1] / height
  x0, y0, side = portrait.box
  return Portrait(
    np.asarray(small), CropBox(x0 * x_scale, y0 * y_scale, side * scale)
  )
