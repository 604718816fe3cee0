"""People of photographs: a bi-layer model, the mesh alone, warp and nearest.

  python -m tests.reproduce.photo_people --clips=DIR [--sizes=128,256]
  python -m tests.reproduce.photo_people --data_dir=DIR

Real clips, or the split `test` of a prepared dataset, whose points are exact,
such as scanned_heads with --family=ict. The first half is support, 32 frames of
the second half are the test: PSNR of the whole frame, face, mouth and eyes,
SSIM, and where launch.weights has fetched the networks LPIPS and CSIM (SFace);
the landmark error and the share of frames without a face by the detector; and
flicker over 32 consecutive frames, as a multiple of the real frames'. Beside
T = 1 and 8 there is `far`: the source that is least like its targets. Wanted:
the model ahead of the mesh alone in LPIPS and CSIM, and by 0.5 dB in the mouth
at `far`.
"""

import functools
import json
from pathlib import Path

import numpy as np
from absl import flags

from flaxheads.baselines.nearest import nearest
from flaxheads.baselines.warp import warp
from flaxheads.data import pipeline, records
from flaxheads.data.face_clips import load_face_clip
from flaxheads.errors import UserError
from flaxheads.evaluation import splits
from flaxheads.evaluation.evaluators import load_network
from flaxheads.evaluation.measure import embed_faces
from flaxheads.evaluation.protocol import Drivers
from flaxheads.fewshot.model import load_model
from flaxheads.fewshot.person import animate
from flaxheads.fewshot.photo_person import person_of_crops
from flaxheads.landmarks import layout
from flaxheads.landmarks.detect import make_detector
from flaxheads.metrics import image
from flaxheads.metrics.flicker import flicker
from flaxheads.metrics.identity import cosine_similarity
from flaxheads.metrics.landmark_error import (
  detect_points,
  detected_landmark_error,
  face_mask,
)
from flaxheads.metrics.lpips import lpips
from launch import app
from tests.reproduce import _commands as commands

FLAGS = flags.FLAGS
flags.DEFINE_string('clips', None, 'Folder of videos of real people.')
flags.DEFINE_string('data_dir', None, 'Folder of records, instead of --clips.')
flags.DEFINE_string('dataset', 'scanned_heads', 'Of --data_dir.')
flags.DEFINE_list(
  'people',
  'grid_lbbc2a,lp_d9,styletalk_ng,pcavs_731200067,vr_face4,lp_d3',
  'Names of clips.',
)
flags.DEFINE_string('model', None, 'A bi-layer model; the shipped one.')
flags.DEFINE_list('sizes', '128', 'Sides of frames, pixels.')
flags.DEFINE_list('shots', '1,8', 'Numbers of photographs.')
flags.DEFINE_list('methods', 'nearest,warp,mesh,model', 'Which.')
flags.DEFINE_integer('max_frames', 240, 'Of each clip.')
flags.DEFINE_string('lpips', '', 'Weights of LPIPS; those that were fetched.')
flags.DEFINE_string('sface', '', 'Weights of SFace, alike.')
flags.DEFINE_string('report', None, 'A .json file for the table.')

_FAR_FRAMES = 16
_CONSECUTIVE = 32
_PARTS = {
  'mouth': layout.OUTER_LIPS,
  'eyes': (*layout.LEFT_EYE, *layout.RIGHT_EYE),
}
_REACH = 0.1  # about a part, in eye distances


def _photo(frames, points, drivers, model=None):
  return animate(person_of_crops(frames, points, model), drivers.points)


def _part_mask(points, members, size):
  """Boxes about a part, bool [F, S, S]."""
  places = points[:, list(members)]
  reach = _REACH * layout.inter_ocular_distance(points)[:, None]
  low, high = places.min(1) - reach, places.max(1) + reach  # [F, 2]
  centres = np.arange(size) + 0.5
  inside = (centres >= low[..., None]) & (centres <= high[..., None])
  return inside[:, 1, :, None] & inside[:, 0, None, :]


class _Judge:
  """Measures generated frames; the networks are loaded once."""

  def __init__(self):
    self._lpips, no_lpips = load_network('lpips', FLAGS.lpips)
    self._sface, no_sface = load_network('sface', FLAGS.sface)
    self._detect = make_detector(often=True)
    print('\n'.join(filter(None, (no_lpips, no_sface))))

  def __call__(self, made, real, points) -> dict[str, float]:
    size, frames = real.shape[1], made
    found = detected_landmark_error(detect_points(frames, self._detect), points)
    values = {'nme': 100 * found.mean, 'no_face': 100 * found.failure_rate}
    if self._sface:
      both = (embed_faces(x, points, self._sface) for x in (made, real))
      values['csim'] = cosine_similarity(*both)
    made, real = made.astype(np.float32) / 255, real.astype(np.float32) / 255
    values['psnr'] = image.psnr(made, real)
    values['psnr_face'] = image.psnr(made, real, face_mask(points, size))
    for part, members in _PARTS.items():
      mask = _part_mask(points, members, size)
      values[f'psnr_{part}'] = image.psnr(made, real, mask)
    values['ssim'] = image.ssim(made, real)
    if self._lpips:
      values['lpips'] = lpips(self._lpips, made, real)
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
  for shots in map(int, FLAGS.shots):
    yield f'T={shots}', splits.choose_support(split, shots, name), split.test
  yield 'far', *_far(points)


def _people(size):
  """(name, frames, points) of each person."""
  if FLAGS.clips:
    for name in FLAGS.people:
      path = Path(FLAGS.clips).expanduser() / f'{name}.mp4'
      clip = load_face_clip(path, size, max_frames=FLAGS.max_frames)
      yield name, clip.frames, clip.points
    return
  source = pipeline.make_source(FLAGS.dataset, FLAGS.data_dir, 'test')
  for record in map(source.__getitem__, range(len(source))):
    indices = range(min(int(record['num_frames']), FLAGS.max_frames))
    frames, points = records.decode_frames(record, indices, size)
    yield records.text(record['video_id']), frames, points


def _measure_person(name, frames, points, methods, judge, rows):
  size = frames.shape[1]
  half = len(points) // 2
  following = np.arange(half, min(half + _CONSECUTIVE, len(points)))
  real = np.nanmean(flicker(frames[following], points[following]))
  for split, support, test in _splits(name, points):
    for method, make in methods.items():
      make = functools.partial(make, frames[support], points[support])
      made = make(Drivers(points[test]))
      row = judge(made, frames[test], points[test])
      if split != 'far':
        moving = flicker(make(Drivers(points[following])), points[following])
        row['flicker'] = float(np.nanmean(moving) / real)
      rows.setdefault((size, split, method), []).append(row)


def _averages(rows):
  return {
    key: {name: float(np.mean([row[name] for row in of])) for name in of[0]}
    for key, of in rows.items()
  }


def _write_report(rows):
  """Writes what is measured so far; a run can take an hour."""
  if FLAGS.report:
    named = {' '.join(map(str, k)): v for k, v in _averages(rows).items()}
    people = max(map(len, rows.values()))
    report = json.dumps({'people': people, **named}, indent=2)
    Path(FLAGS.report).write_text(report)


def main():
  """Measures, prints a table and concludes."""
  if bool(FLAGS.clips) == bool(FLAGS.data_dir):
    raise UserError('--clips: give a folder of videos, or --data_dir')
  methods = {
    'nearest': nearest,
    'warp': warp,
    'mesh': _photo,
    'model': functools.partial(_photo, model=load_model(FLAGS.model)),
  }
  methods = {name: methods[name] for name in FLAGS.methods}
  judge, rows = _Judge(), {}
  for size in map(int, FLAGS.sizes):
    for name, frames, points in _people(size):
      _measure_person(name, frames, points, methods, judge, rows)
      _write_report(rows)
      print(size, name, flush=True)
  table = _averages(rows)
  for (size, split, method), values in table.items():
    figures = '  '.join(f'{name} {x:.3f}' for name, x in values.items())
    print(f'{size} {split:4} {method:8} {figures}')
  checks = []
  for size, split, method in table:
    if method != 'model' or (size, split, 'mesh') not in table:
      continue
    model, mesh = table[size, split, 'model'], table[size, split, 'mesh']
    for metric, sign in (('lpips', -1), ('csim', 1)):
      if metric in model:
        gain = sign * (model[metric] - mesh[metric])
        claim = f'{size} {split}: {metric} better by {gain:.4f}'
        checks.append((claim, gain > 0))
    if split == 'far':
      gain = model['psnr_mouth'] - mesh['psnr_mouth']
      checks.append((f'{size} far: mouth {gain:+.2f} dB', gain >= 0.5))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
