r"""The watermark survives what happens to videos, and is never imagined.

python -m tests.reproduce.watermark
python -m tests.reproduce.watermark --num_clips=4 --num_clean_frames=100

Clips at 256² are marked, changed, and searched: synthetic heads and, where
FLAXHEADS_REAL_CLIPS names a folder with portraits/, these pictures, moved by
the shipped model; see _clips.py. Then clean frames, half of them of these clips
and half of other heads, and all clips of that folder, must give nothing. What
was found for each clip is kept in out/reproduce/watermark, so that an
interrupted run resumes, and a run with more clips reuses it.
"""

import collections
import json
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import tqdm
from absl import flags

from flaxheads.data import synthetic_heads
from flaxheads.data.kinds import VIDEO_EXTENSIONS
from flaxheads.data.output_files import atomic_path
from flaxheads.data.video import VideoReader, read_video
from flaxheads.data.video_writer import VideoWriter
from flaxheads.provenance import detection, examine
from flaxheads.provenance.marks import Marks, new_payload
from flaxheads.provenance.stamp import Stamp
from launch import app
from tests.reproduce import _clips as clips
from tests.reproduce import _commands as commands

FLAGS = flags.FLAGS
flags.DEFINE_integer('num_clips', 200, 'Clips to mark.', lower_bound=1)
flags.DEFINE_integer('num_frames', 60, 'Frames of each.', lower_bound=50)
flags.DEFINE_integer('num_clean_frames', 10_000, 'Without a mark.')
flags.DEFINE_integer('num_real_frames', 100, 'Of each real clip.')
flags.DEFINE_integer('image_size', 256, 'Side of the clips, pixels.')
flags.DEFINE_integer('draw_size', 128, 'Side of rendered heads.')
flags.DEFINE_integer('seed', 77, 'Other seeds are other heads.')

_FOLDER = Path('out/reproduce/watermark')
_SETTINGS = (
  'num_frames', 'image_size', 'draw_size', 'num_real_frames', 'seed',
)  # fmt: skip
_MIN_PSNR = 42.0
_CLEAN = range(0, 50, 2)  # frames of each clip, looked at without a mark


def _videos(folder):
  return [p for p in examine.files_of(folder) if p.suffix in VIDEO_EXTENSIONS]


def _kept(name: str, make):
  """JSON that was made before with the same settings, or is made now."""
  settings = [FLAGS[flag].value for flag in _SETTINGS]
  folder = _FOLDER / 'moved' / '-'.join(map(str, settings))
  path = folder / f'{name}.json'
  if path.exists():
    return json.loads(path.read_text())
  made = make()
  folder.mkdir(parents=True, exist_ok=True)
  with atomic_path(path) as temporary:
    temporary.write_text(json.dumps(made))
  return made


def _h264(frames, crf, fps=None):
  """Frames after coding; with `fps`, also shown at another rate."""
  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / 'clip.mp4'
    with VideoWriter(path, clips.FPS, crf=crf) as writer:
      for frame in frames:
        writer.write(frame)
    if fps is None:
      return read_video(path).frames
    resampled = read_video(path, fps=fps).frames
    with VideoWriter(path, fps, crf=crf) as writer:
      for frame in resampled:
        writer.write(frame)
    return read_video(path).frames


def _scaled(frames, factor):
  return [clips.sized(frame, round(factor * len(frame))) for frame in frames]


def _cut(frames):
  edge = round(0.05 * len(frames[0]))
  return [frame[edge:-edge, edge:-edge] for frame in frames]


def _jpeg(frames):
  quality = [cv2.IMWRITE_JPEG_QUALITY, 50]
  coded = (cv2.imencode('.jpg', frame, quality)[1] for frame in frames)
  return [cv2.imdecode(each, cv2.IMREAD_COLOR) for each in coded]


def _levels(frames, gain, shift):
  changed = np.arange(256) * gain + shift
  table = np.clip(np.rint(changed), 0, 255).astype(np.uint8)
  return table[np.asarray(frames)]


# Name: the change, and the part of clips whose mark must be found.
_CHANGES = {
  'none': (list, 0.99),
  'H.264, crf 18': (lambda f: _h264(f, 18), 0.99),
  'H.264, crf 23': (lambda f: _h264(f, 23), 0.99),
  'H.264, crf 28': (lambda f: _h264(f, 28), 0.99),
  'H.264, crf 33': (lambda f: _h264(f, 33), 0.9),
  'scaled to 50 %, crf 23': (lambda f: _h264(_scaled(f, 0.5), 23), 0.99),
  'scaled to 150 %, crf 23': (lambda f: _h264(_scaled(f, 1.5), 23), 0.99),
  '10 % cut, crf 23': (lambda f: _h264(_cut(f), 23), 0.99),
  'JPEG, quality 50': (_jpeg, 0.99),
  'brighter by 20 %': (lambda f: _h264(_levels(f, 1.2, 0), 23), 0.99),
  'darker by 20 %': (lambda f: _h264(_levels(f, 0.8, 0), 23), 0.99),
  'contrast + 20 %': (lambda f: _h264(_levels(f, 1.2, -25.6), 23), 0.99),
  'contrast - 20 %': (lambda f: _h264(_levels(f, 0.8, 25.6), 23), 0.99),
  '25 to 30 fps': (lambda f: _h264(f, 23, 30.0), 0.99),
  '2 seconds': (lambda f: _h264(f[-50:], 23), 0.99),
  'cut and crf 28': (lambda f: _h264(_cut(f), 28), 0.9),
  '50 % and crf 28': (lambda f: _h264(_scaled(f, 0.5), 28), 0.9),
  '50 % and 10 % cut': (lambda f: _h264(_scaled(_cut(f), 0.5), 23), 0.9),
  'JPEG and cut': (lambda f: _jpeg(_cut(f)), 0.9),
  '2 seconds and crf 33': (lambda f: _h264(f[-50:], 33), 0.9),
}


def _find(frames):
  return detection.detect(detection.average(frames))


def _look_at(number: int) -> dict:
  """What is found in a clip, changed in every way, and its PSNR."""
  what, clip = clips.make(
    number, FLAGS.seed, FLAGS.num_frames, FLAGS.image_size, FLAGS.draw_size
  )
  began = time.perf_counter()
  payload, found = new_payload(''), {}
  marked = np.asarray(Stamp(Marks(payload=payload))(clip))
  error = np.mean((marked.astype(np.float32) - clip) ** 2)
  for name, (change, _) in _CHANGES.items():
    detected = _find(change(list(marked)))
    right = detected is not None and detected.payload == payload
    found[name] = detected.agreement if right else None
  seconds = time.perf_counter() - began
  return {
    'what': what,
    'found': found,
    'psnr': float(10 * np.log10(255**2 / error)),
    'false': _find(clip) is not None,
    'false_frames': [_find(clip[i : i + 1]) is not None for i in _CLEAN],
    'seconds': seconds,
  }


def _robustness() -> list[dict]:
  numbers = tqdm.trange(FLAGS.num_clips, desc='marked clips')
  return [_kept(f'clip{n:04d}', lambda n=n: _look_at(n)) for n in numbers]


def _clean_person(person: int) -> list[bool]:
  frames, _ = synthetic_heads.make_clip(FLAGS.seed + 1, person, 8, 64, fps=1.0)
  return [_find([frame]) is not None for frame in np.asarray(frames)]


def _clean_frames(looks) -> list[bool]:
  """Whether something is found in single frames without a mark."""
  found = [each for look in looks for each in look['false_frames']]
  found = found[: FLAGS.num_clean_frames // 2]
  missing = FLAGS.num_clean_frames - len(found)
  for person in tqdm.trange(-(-missing // 8), desc='clean'):
    found += _kept(f'clean{person:05d}', lambda p=person: _clean_person(p))
  return found


def _real_clip(path: Path) -> bool:
  reader = VideoReader(path, max_frames=FLAGS.num_real_frames)
  return _find(frame.image for frame in reader) is not None


def _real_clips() -> list[bool]:
  """The same for the videos of FLAXHEADS_REAL_CLIPS."""
  folder = clips.real_footage()
  if folder is None:
    print('FLAXHEADS_REAL_CLIPS names no folder: real clips not looked at')
    return []
  paths = tqdm.tqdm(_videos(folder), desc='real footage')
  return [_kept(f'real-{p.stem}', lambda p=p: _real_clip(p)) for p in paths]


def main():
  looks, checks = _robustness(), []
  for name, (_, least) in _CHANGES.items():
    heard = [look['found'][name] for look in looks]
    found = [agreement for agreement in heard if agreement is not None]
    share = len(found) / len(heard)
    claim = f'{name}: {share:.1%} of {len(heard)} found'
    if found:
      claim += f' (code bits {np.mean(found):.1%}, at least {min(found):.1%})'
    checks.append((claim, share >= least))
  kinds = collections.Counter(look['what'] for look in looks)
  print('clips:', dict(sorted(kinds.items())))
  psnr = [look['psnr'] for look in looks]
  text = f'PSNR {np.mean(psnr):.2f} dB, at least {np.min(psnr):.2f}'
  checks.append((text, bool(np.min(psnr) >= _MIN_PSNR)))
  seconds = np.mean([look['seconds'] for look in looks])
  print(f'{seconds:.0f} s a clip, less drawing it')
  for what, found in (
    ('clips', [look['false'] for look in looks]),
    ('frames', _clean_frames(looks)),
    ('real clips', _real_clips()),
  ):
    claim = f'{sum(found)} of {len(found)} clean {what} marked'
    checks.append((claim, not any(found)))
  rate = detection.FALSE_POSITIVE_RATE
  checks.append((f'theory: at most {rate:.1e} of files', rate < 1e-6))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
