"""The moving picture of the README is made by this code from rendered people.

Renders photographs of one person and the motion of another, animates the first
by the second, and writes source, driver and result side by side as an animated
WebP.
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np
from absl import flags
from PIL import Image

import flaxheads
from flaxheads.data import synthetic_heads
from flaxheads.data.image import write_png
from flaxheads.data.output_files import atomic_path
from flaxheads.data.video import read_video
from flaxheads.landmarks.landmark_files import save_landmarks
from launch import app
from tests.reproduce import _commands as commands

_MAX_BYTES = 2_000_000
_SIDE = 192  # pixels of each panel
_FPS = 12.5
_SHOTS = 4

FLAGS = flags.FLAGS
flags.DEFINE_string('output', 'docs/animation.webp', 'The WebP to write.')
flags.DEFINE_integer('image_size', 256, 'Side of the rendered frames, pixels.')
flags.DEFINE_integer('num_frames', 36, 'Frames of the driver.', lower_bound=10)
flags.DEFINE_integer('seed', 123, 'Other seeds are other people.')


def _animate(photographs, photograph_points, driver_points) -> list[np.ndarray]:
  """The video of a person, by the public interface: list of [S, S, 3]."""
  with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    (folder / 'source').mkdir()
    for number, photograph in enumerate(photographs):
      write_png(folder / 'source' / f'{number}.png', photograph)
    save_landmarks(folder / 'source.npz', photograph_points)
    times = np.arange(len(driver_points)) / _FPS
    save_landmarks(folder / 'driver.npz', driver_points, times)
    person = flaxheads.make_person(
      folder / 'source',
      landmarks=folder / 'source.npz',
      confirm_rights='rendered people',
    )
    flaxheads.render_video(person, folder / 'driver.npz', folder / 'a.mp4')
    return read_video(folder / 'a.mp4').frames


def _panel(frame: np.ndarray) -> np.ndarray:
  how = cv2.INTER_AREA if frame.shape[0] > _SIDE else cv2.INTER_CUBIC
  return cv2.resize(frame, (_SIDE, _SIDE), interpolation=how)


def _write_webp(path: Path, frames: list[np.ndarray]) -> None:
  images = [Image.fromarray(frame) for frame in frames]
  with atomic_path(path) as temporary:
    images[0].save(
      temporary,
      save_all=True,
      append_images=images[1:],
      duration=round(1000 / _FPS),
      loop=0,
      quality=75,
    )


def main():
  size, output = FLAGS.image_size, Path(FLAGS.output)
  photographs, points = synthetic_heads.make_clip(
    FLAGS.seed, 0, _SHOTS, size, fps=1.0
  )
  driver, driver_points = synthetic_heads.make_clip(
    FLAGS.seed, 1, FLAGS.num_frames, size, fps=_FPS
  )
  moved = _animate(photographs, points, driver_points)
  frames = [
    np.hstack([_panel(photographs[0]), _panel(a), _panel(b)])
    for a, b in zip(driver, moved, strict=False)
  ]
  _write_webp(output, frames)
  size = output.stat().st_size
  print(f'{output}: {len(frames)} frames, {size / 1e6:.2f} MB')
  commands.conclude(
    [
      ('source and driver give every frame', len(frames) == len(driver)),
      ('the picture has less than 2 MB', size < _MAX_BYTES),
    ]
  )


if __name__ == '__main__':
  app.run(main)
