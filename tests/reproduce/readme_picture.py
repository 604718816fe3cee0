"""The moving picture of the README is made by this code from rendered people.

Animates one picture of a rendered person by the motion of another, and writes
source, driver and result side by side as an animated WebP. The people are from
scanned_heads if --assets names the files of that dataset, as in the README, and
from synthetic_heads otherwise.
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np
from absl import flags
from PIL import Image

import flaxheads
from flaxheads.data.image import read_image, write_png
from flaxheads.data.output_files import atomic_path
from flaxheads.data.video import read_video
from flaxheads.data.video_writer import VideoWriter
from flaxheads.landmarks.landmark_files import load_landmarks, save_landmarks
from flaxheads.provenance.credentials import ALGORITHMIC
from flaxheads.provenance.examine import SYNTHETIC_HEAD
from launch import _mark_flags, app
from tests.reproduce import _commands as commands

_MAX_BYTES = 1_500_000
_SIDE = 256  # pixels of each panel
_PICTURE = 1  # of the source: the default person looks ahead there
_FPS = 25.0
_STEP = 2  # every second frame of the driver is shown

FLAGS = flags.FLAGS
flags.DEFINE_string('output', 'docs/animation.webp', 'The WebP to write.')
flags.DEFINE_string('assets', None, 'Files of scanned_heads (docs/data.md).')
flags.DEFINE_integer('num_frames', 72, 'Of the driver.', lower_bound=20)
flags.DEFINE_integer('seed', 123, 'Other seeds are other people.')


def _render(folder: Path) -> tuple[Path, np.ndarray, Path]:
  """Renders both: the photograph, its points [68, 2], and the clip."""
  size = '--num_identities=1 --image_size=128'
  commands.run(
    f'render_heads --kind=images {size} --num_frames=8 --seed={FLAGS.seed} '
    f'--output={folder}/source'
  )
  commands.run(
    f'render_heads --kind=clip {size} --num_frames={FLAGS.num_frames} '
    f'--seed={FLAGS.seed + 1} --output={folder}/driver'
  )
  points = load_landmarks(folder / 'source' / '0000.landmarks.npz').points
  photograph = folder / 'source' / '0000' / f'{_PICTURE:04}.png'
  return photograph, points[_PICTURE], folder / 'driver' / '0000.mp4'


def _render_scanned(folder: Path) -> tuple[Path, np.ndarray, Path]:
  """The same of scanned heads; the source looks ahead, its mouth shut."""
  from flaxheads.data.scanned_heads import assets, clip

  files = assets.open_assets(FLAGS.assets)
  frames, places = clip.make_clip(files, FLAGS.seed, 0, 24, 512, fps=4.0)
  nose = places[:, 30] - (places[:, 36] + places[:, 45]) / 2
  gap = np.linalg.norm(places[:, 62] - places[:, 66], axis=-1)
  chosen = int((np.abs(nose[:, 0]) + 3 * gap).argmin())
  photograph, driver = folder / 'source.png', folder / 'driver.mp4'
  facts = {'kind': SYNTHETIC_HEAD, 'seed': FLAGS.seed}
  seal = _mark_flags.sign_only(facts, ALGORITHMIC).seal
  write_png(photograph, frames[chosen], seal)
  frames, points = clip.make_clip(
    files, FLAGS.seed, 1, FLAGS.num_frames, 256, fps=_FPS
  )
  with VideoWriter(driver, _FPS) as writer:
    for frame in frames:
      writer.write(frame)
  save_landmarks(_landmarks(driver), points, np.arange(len(points)) / _FPS)
  return photograph, places[chosen], driver


def _landmarks(path: Path) -> Path:
  return path.with_name(f'{path.stem}.landmarks.npz')


def _animate(photograph: Path, points, driver: Path) -> list[np.ndarray]:
  """The photograph, then the frames of its video; list of [S, S, 3]."""
  with tempfile.TemporaryDirectory() as name:
    known, video = Path(name) / 'known.npz', Path(name) / 'a.mp4'
    save_landmarks(known, points[None])
    person = flaxheads.make_person(photograph, landmarks=known)
    motion = flaxheads.load_driver(
      _landmarks(driver), person.image_size, max_frames=FLAGS.num_frames
    )
    flaxheads.render_video(person, motion, video)
    return [read_image(photograph), *read_video(video).frames]


def _panel(frame: np.ndarray) -> np.ndarray:
  how = cv2.INTER_AREA if frame.shape[0] > _SIDE else cv2.INTER_CUBIC
  return cv2.resize(frame, (_SIDE, _SIDE), interpolation=how)


def _write_webp(path: Path, frames: list[np.ndarray], fps: float) -> None:
  images = [Image.fromarray(frame) for frame in frames]
  with atomic_path(path) as temporary:
    images[0].save(
      temporary,
      save_all=True,
      append_images=images[1:],
      duration=round(1000 / fps),
      loop=0,
      quality=75,
      format='WEBP',
    )


def main():
  output = Path(FLAGS.output)
  with tempfile.TemporaryDirectory() as name:
    render = _render_scanned if FLAGS.assets else _render
    photograph, points, driver = render(Path(name))
    clip = read_video(driver)
    portrait, *moved = _animate(photograph, points, driver)
  frames = [
    np.hstack([_panel(each) for each in (portrait, a, b)])
    for a, b in zip(clip.frames, moved, strict=False)
  ]
  _write_webp(output, frames[::_STEP], clip.fps / _STEP)
  size = output.stat().st_size
  print(f'{output}: {len(frames[::_STEP])} frames, {size / 1e6:.2f} MB')
  whole = min(FLAGS.num_frames, len(clip.frames))
  commands.conclude(
    [
      ('the result has every frame of the driver', len(frames) == whole),
      ('the picture has at most 1.5 MB', size <= _MAX_BYTES),
    ]
  )


if __name__ == '__main__':
  app.run(main)
