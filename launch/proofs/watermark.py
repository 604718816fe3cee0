r"""The watermark survives what happens to videos, and is never imagined.

python -m launch.proofs.watermark --num_clips=200
python -m launch.proofs.watermark --num_clips=4 --num_clean_frames=100

Clips of synthetic heads at 256², unless --clips names a folder of videos, are
marked, changed, and searched. Then clean frames, and the clips of
FLAXHEADS_REAL_CLIPS, must give nothing. --draw_size=128 draws the heads at a
quarter of the cost and enlarges them.
"""

import os
import tempfile
from pathlib import Path

import cv2
import numpy as np
import tqdm
from absl import flags

from flaxheads.data import synthetic_heads
from flaxheads.data.video import (
  EXTENSIONS,
  VideoReader,
  VideoWriter,
  read_video,
)
from flaxheads.provenance import detection, examine
from flaxheads.provenance.marks import Marks, Stamp, new_payload
from launch import app
from launch.proofs import _commands as commands

FLAGS = flags.FLAGS
flags.DEFINE_integer('num_clips', 200, 'Clips to mark.', lower_bound=1)
flags.DEFINE_integer('num_frames', 75, 'Frames of each.', lower_bound=2)
flags.DEFINE_integer('num_clean_frames', 10_000, 'Without a mark.')
flags.DEFINE_integer('num_real_frames', 100, 'Of each real clip.')
flags.DEFINE_integer('image_size', 256, 'Side of the clips, pixels.')
flags.DEFINE_integer('draw_size', 256, 'Side that heads are drawn at.')
flags.DEFINE_string('clips', '', 'A folder of unmarked videos to use instead.')
flags.DEFINE_integer('seed', 77, 'Other seeds are other heads.')

_FPS = 25.0
_MIN_PSNR = 42.0


def _sized(frame, size):
  shrinks = frame.shape[0] > size
  how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
  return cv2.resize(frame, (size, size), interpolation=how)


def _videos(folder):
  return [p for p in examine.files_of(folder) if p.suffix in EXTENSIONS]


def _clips():
  """Yields clips, uint8 [F, S, S, 3]."""
  size, count = FLAGS.image_size, FLAGS.num_frames
  if FLAGS.clips:
    for path in _videos(FLAGS.clips)[: FLAGS.num_clips]:
      frames = read_video(path, max_frames=count).frames
      yield np.stack([_sized(frame, size) for frame in frames])
    return
  for person in range(FLAGS.num_clips):
    frames, _ = synthetic_heads.make_clip(
      FLAGS.seed, person, count, FLAGS.draw_size, fps=_FPS
    )
    yield np.stack([_sized(np.asarray(frame), size) for frame in frames])


def _h264(frames, crf, fps=None):
  """Frames after coding; with `fps`, also shown at another rate."""
  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / 'clip.mp4'
    with VideoWriter(path, _FPS, crf=crf) as writer:
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
  return [_sized(frame, round(factor * len(frame))) for frame in frames]


def _cut(frames):
  edge = round(0.05 * len(frames[0]))
  return [frame[edge:-edge, edge:-edge] for frame in frames]


def _jpeg(frames):
  quality = [cv2.IMWRITE_JPEG_QUALITY, 50]
  coded = (cv2.imencode('.jpg', frame, quality)[1] for frame in frames)
  return [cv2.imdecode(each, cv2.IMREAD_COLOR) for each in coded]


def _levels(frames, gain, shift):
  changed = np.asarray(frames, np.float32) * gain + shift
  return np.clip(np.rint(changed), 0, 255).astype(np.uint8)


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


def _robustness():
  """Part of clips whose payload is found after each change; and the PSNR."""
  found = {name: [] for name in _CHANGES}
  psnr, clean = [], 0
  for clip in tqdm.tqdm(_clips(), total=FLAGS.num_clips, desc='marked clips'):
    payload = new_payload('')
    marked = np.asarray(Stamp(Marks(payload=payload))(clip))
    error = np.mean((marked.astype(np.float32) - clip) ** 2)
    psnr.append(10 * np.log10(255**2 / error))
    clean += _find(clip) is not None
    for name, (change, _) in _CHANGES.items():
      detected = _find(change(list(marked)))
      right = detected is not None and detected.payload == payload
      found[name].append((right, detected.agreement if right else np.nan))
  return found, psnr, clean


def _clean_frames():
  """False detections in single frames without a mark: (false, all)."""
  false = total = 0
  people = -(-FLAGS.num_clean_frames // 8)
  for person in tqdm.trange(people, desc='clean frames'):
    frames, _ = synthetic_heads.make_clip(
      FLAGS.seed + 1, person, 8, 64, fps=1.0
    )
    for frame in np.asarray(frames):
      false, total = false + (_find([frame]) is not None), total + 1
  return false, total


def _real_clips():
  """The same for the videos of FLAXHEADS_REAL_CLIPS."""
  folder = os.environ.get('FLAXHEADS_REAL_CLIPS', '')
  if not folder:
    print('FLAXHEADS_REAL_CLIPS names no folder: real clips not looked at')
    return 0, 0
  false = total = 0
  for path in tqdm.tqdm(_videos(folder), desc='real footage'):
    frames = (
      f.image for f in VideoReader(path, max_frames=FLAGS.num_real_frames)
    )
    false, total = false + (_find(frames) is not None), total + 1
  return false, total


def main():
  found, psnr, false = _robustness()
  checks = []
  for name, (_, least) in _CHANGES.items():
    rights, agreements = zip(*found[name], strict=True)
    share, heard = np.mean(rights), np.nan
    if any(rights):
      heard = np.nanmean(agreements)
    claim = (
      f'{name}: {share:.1%} of {len(rights)} found (code bits {heard:.1%})'
    )
    checks.append((claim, bool(share >= least)))
  text = f'PSNR {np.mean(psnr):.2f} dB, at least {np.min(psnr):.2f}'
  checks.append((text, bool(np.min(psnr) >= _MIN_PSNR)))
  checks.append((f'{false} of {len(psnr)} clean clips marked', false == 0))
  for what, count in (('frames', _clean_frames), ('real clips', _real_clips)):
    false, total = count()
    checks.append((f'{false} of {total} clean {what} marked', false == 0))
  rate = detection.FALSE_POSITIVE_RATE
  checks.append((f'theory: at most {rate:.1e} of files', rate < 1e-6))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
