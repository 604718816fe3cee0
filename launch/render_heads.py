r"""Renders talking heads of people who do not exist.

python -m launch.render_heads --output=heads --num_identities=8
python -m launch.render_heads --kind=images --num_frames=4 --output=heads

For the i-th person, --kind=clip writes iiii.mp4, and --kind=images a folder
iiii of PNG files; either comes with iiii.landmarks.npz (points [F, 68, 2] in
pixels, times [F] in seconds), and sheet.png shows them all. --kind=motion
renders nothing and writes the landmarks only.

The files are signed as rendered, so the other commands do not ask for consent.
They carry no watermark, because a model trained on them would learn it.
"""

import pathlib

import numpy as np
import tqdm
from absl import flags

from flaxheads.data import image, synthetic_heads
from flaxheads.data.output_files import atomic_path
from flaxheads.data.video_writer import VideoWriter
from flaxheads.errors import UserError
from flaxheads.landmarks import landmark_files
from flaxheads.provenance.credentials import ALGORITHMIC
from flaxheads.provenance.examine import SYNTHETIC_HEAD

from . import _mark_flags, app

FLAGS = flags.FLAGS
_FPS = 25.0
_SHEET_COLUMNS = 6
_SHEET_ROWS = 16

flags.DEFINE_string('output', '', 'Folder to write to; created if missing.')
flags.DEFINE_integer('num_identities', 8, 'Number of people.', lower_bound=1)
flags.DEFINE_integer('num_frames', 50, 'Frames of each person.', lower_bound=1)
flags.DEFINE_integer('image_size', 256, 'Side of a frame: 64, 128, 256 or 512.')
flags.DEFINE_integer(
  'seed', 0, 'Seed; other seeds give other people.', lower_bound=0
)
flags.DEFINE_enum(
  'kind', 'clip', ('clip', 'images', 'motion'), 'What to write; see above.'
)


def _write_landmarks(folder, name, points):
  times = np.arange(len(points)) / _FPS
  with atomic_path(folder / f'{name}.landmarks.npz') as path:
    landmark_files.save_landmarks(path, points, times)


def _write(folder, name, frames, points, seal):
  if FLAGS.kind == 'clip':
    with VideoWriter(folder / f'{name}.mp4', _FPS, seal=seal) as writer:
      for frame in frames:
        writer.write(frame)
  else:
    (folder / name).mkdir(exist_ok=True)
    for n, frame in enumerate(frames):
      image.write_png(folder / name / f'{n:04}.png', frame, seal)
  _write_landmarks(folder, name, points)


def _render(person):
  """Frames and points of one person."""
  count, size, seed = FLAGS.num_frames, FLAGS.image_size, FLAGS.seed
  # Images are of one sitting, a second apart: unlike each other in pose.
  fps = _FPS if FLAGS.kind == 'clip' else 1.0
  return synthetic_heads.make_clip(seed, person, count, size, fps=fps)


def main():
  if not FLAGS.output:
    raise UserError('--output is missing: the folder to write to')
  if FLAGS.image_size not in synthetic_heads.IMAGE_SIZES:
    sizes = ', '.join(map(str, synthetic_heads.IMAGE_SIZES))
    raise UserError(f'--image_size={FLAGS.image_size}: not one of {sizes}')
  folder = pathlib.Path(FLAGS.output).expanduser()
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(f'--output={folder}: {error.strerror}') from error
  _mark_flags.check_flags()
  if FLAGS.kind == 'motion':
    for person in range(FLAGS.num_identities):
      identity, motion = synthetic_heads.sample_clip(
        FLAGS.seed, person, FLAGS.num_frames, fps=_FPS
      )
      points = synthetic_heads.head_points(identity, motion, FLAGS.image_size)
      _write_landmarks(folder, f'{person:04}', points)
    print(f'{folder}: the motion of {FLAGS.num_identities} people')
    return
  facts = {'kind': SYNTHETIC_HEAD, 'seed': FLAGS.seed}
  marks = _mark_flags.sign_only(facts, ALGORITHMIC)
  rows = []
  for person in tqdm.trange(
    FLAGS.num_identities, unit='head', desc='rendering'
  ):
    frames, points = _render(person)
    _write(folder, f'{person:04}', frames, points, marks.seal)
    if len(rows) < _SHEET_ROWS:
      picks = np.linspace(0, len(frames) - 1, _SHEET_COLUMNS).round()
      rows.append([frames[int(n)] for n in np.unique(picks)])
  image.write_png(folder / 'sheet.png', image.contact_sheet(rows), marks.seal)
  print(f'{folder}: {FLAGS.num_identities} people')


if __name__ == '__main__':
  app.run(main)
