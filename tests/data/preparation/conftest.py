"""Small videos whose frames tell their number, and detectors that know them.

Frame i of a video is a flat image with a bright square, the face, at a place
that the detector reads off the image itself.
"""

import numpy as np
import pytest

from flaxheads.data.video_writer import VideoWriter
from flaxheads.landmarks.detect import Face

SIDE = 128  # pixels of the videos
_rng = np.random.default_rng(0)
_SHAPE = _rng.uniform(0, 1, (68, 2)).astype(np.float32)  # of a face
_TEXTURE = _rng.integers(150, 256, (48, 48, 1)).astype(np.uint8)
_SMOOTH = np.broadcast_to(
  np.linspace(150, 255, 48).astype(np.uint8)[:, None, None], (48, 48, 1)
)


def draw(centre=(64, 64), size=48, shade=40, blurred=False):
  """An image with one face of `size` pixels."""
  frame = np.full((SIDE, SIDE, 3), shade, np.uint8)
  x, y = (int(c) - size // 2 for c in centre)
  texture = _SMOOTH if blurred else _TEXTURE
  x0, y0 = max(x, 0), max(y, 0)
  piece = texture[y0 - y : size, x0 - x : size][: SIDE - y0, : SIDE - x0]
  frame[y0 : y0 + piece.shape[0], x0 : x0 + piece.shape[1]] = piece
  return frame


def make_face(x0, y0, size):
  """A face whose points fill a square."""
  points = np.array([x0, y0], np.float32) + _SHAPE * size
  points[0], points[16] = (x0, y0), (x0 + size, y0 + size)
  return Face.from_points(points)


def detect(image):
  """Finds the bright square."""
  bright = image.mean(-1) > 120
  if bright.sum() < 16:
    return []
  rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
  size = max(np.ptp(rows), np.ptp(columns))
  return [make_face(columns[0], rows[0], size)]


@pytest.fixture
def write_video(tmp_path):
  """Writes frames as a video below tmp_path; returns its path."""

  def write(name, frames, fps=25):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, fps) as writer:
      for frame in frames:
        writer.write(frame)
    return path

  return write
