"""People of photographs: parts of several pictures beat one, and a plain warp.

Real clips, first half for support, 32 frames of the second half for test, at
128x128 pixels: PSNR of the whole frame, face, mouth and eyes, and SSIM. Beside
T = 1 and 8 there is `far`: the source that is least like its targets. Wanted at
T = 8: a mouth at least 0.5 dB above that of the warp of one picture a frame.
"""

import json
from pathlib import Path

import numpy as np
from absl import flags

from flaxheads.baselines.nearest import nearest
from flaxheads.baselines.warp import warp
from flaxheads.data.face_clips import load_face_clip
from flaxheads.evaluation import splits
from flaxheads.evaluation.protocol import Drivers
from flaxheads.fewshot.photo_composer import PhotoComposer
from flaxheads.landmarks import layout
from flaxheads.metrics import image
from flaxheads.metrics.landmark_error import face_mask
from launch import app

FLAGS = flags.FLAGS
flags.DEFINE_string('clips', None, 'Folder of videos of real people.')
flags.DEFINE_list(
  'people',
  'grid_lbbc2a,lp_d9,styletalk_ng,pcavs_731200067,vr_face4,lp_d3',
  'Names of clips.',
)
flags.DEFINE_string('report', None, 'A .json file for the table.')

_SIZE = 128
_MAX_FRAMES = 240
_FAR_FRAMES = 16
_PARTS = {
  'mouth': layout.OUTER_LIPS,
  'eyes': (*layout.LEFT_EYE, *layout.RIGHT_EYE),
}
_REACH = 0.1  # about a part, in eye distances


def _photo(frames, points, drivers):
  composer = PhotoComposer(frames, points)
  return composer(drivers.points, composer.start())


_METHODS = {'nearest': nearest, 'warp': warp, 'photo': _photo}


def _part_mask(points, members):
  """Boxes about a part, bool [F, S, S]."""
  places = points[:, list(members)]
  reach = _REACH * layout.inter_ocular_distance(points)[:, None]
  low, high = places.min(1) - reach, places.max(1) + reach  # [F, 2]
  centres = np.arange(_SIZE) + 0.5
  inside = (centres >= low[..., None]) & (centres <= high[..., None])
  return inside[:, 1, :, None] & inside[:, 0, None, :]


def _measure(made, real, points):
  made, real = made.astype(np.float32) / 255, real.astype(np.float32) / 255
  values = {
    'psnr': image.psnr(made, real),
    'psnr_face': image.psnr(made, real, face_mask(points, _SIZE)),
    'ssim': image.ssim(made, real),
  }
  for part, members in _PARTS.items():
    mask = _part_mask(points, members)
    values[f'psnr_{part}'] = image.psnr(made, real, mask)
  return {name: float(np.mean(value)) for name, value in values.items()}


def _far(points):
  """The frame that is least like another one, and frames least like it."""
  apart = points[:, None] - points[None]
  apart = np.linalg.norm(apart, axis=-1).mean(-1)
  source = int(apart.max(1).argmax())
  order = np.argsort(-apart[source])[: max(_FAR_FRAMES, len(points) // 4)]
  chosen = order[np.linspace(0, len(order) - 1, _FAR_FRAMES).astype(int)]
  return np.array([source]), np.sort(chosen)


def _splits(name, points):
  split = splits.split_clip(len(points), 'halves', 32, 0)
  for shots in (1, 8):
    yield f'T={shots}', splits.choose_support(split, shots, name), split.test
  yield 'far', *_far(points)


def main():
  rows = {}
  for name in FLAGS.people:
    path = Path(FLAGS.clips) / f'{name}.mp4'
    clip = load_face_clip(path, _SIZE, max_frames=_MAX_FRAMES)
    frames, points = clip.frames, clip.points
    for split, support, test in _splits(name, points):
      drivers = Drivers(points[test])
      for method, make in _METHODS.items():
        made = make(frames[support], points[support], drivers)
        row = _measure(made, frames[test], points[test])
        rows.setdefault((split, method), []).append(row)
    print(name)
  table = {
    key: {name: np.mean([row[name] for row in values]) for name in values[0]}
    for key, values in rows.items()
  }
  for (split, method), values in table.items():
    figures = '  '.join(f'{name} {x:.2f}' for name, x in values.items())
    print(f'{split:4} {method:8} {figures}')
  if FLAGS.report:
    named = {f'{split} {method}': v for (split, method), v in table.items()}
    Path(FLAGS.report).write_text(json.dumps(named, indent=2))
  gain = (
    table['T=8', 'photo']['psnr_mouth'] - table['T=8', 'warp']['psnr_mouth']
  )
  print(f'mouth at T=8: {gain:+.2f} dB')
  return 0 if gain >= 0.5 else 1


if __name__ == '__main__':
  app.run(main)
