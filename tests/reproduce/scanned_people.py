"""Scanned heads are faces to a detector, and people to a face recogniser.

  python -m tests.reproduce.scanned_people --assets=DIR [--family=ict]

Random people of a family, a few frames of each from a clip with poses far
apart. Wanted: a face is found in 99.5 % of frames, its points are within 4.5 %
of the eye distance of the exact ones; the cosine of SFace's features is at
least 0.75 between two frames of a person and at most 0.3 between two people,
on average, and above 0.5 in at most 2 % of pairs of people.
"""

import json
from pathlib import Path

import numpy as np
import tqdm
from absl import flags

from flaxheads.data.scanned_heads import assets, builder, clip
from flaxheads.evaluation.evaluators import load_network
from flaxheads.evaluation.measure import embed_faces
from flaxheads.landmarks import layout
from flaxheads.landmarks.detect import make_detector
from launch import app
from tests.reproduce import _commands as commands

FLAGS = flags.FLAGS
flags.DEFINE_string('assets', '', 'Folder of the published files.')
flags.DEFINE_enum('family', 'makehuman', builder.FAMILIES, 'Whose meshes.')
flags.DEFINE_integer('people', 60, 'How many.')
flags.DEFINE_integer('image_size', 160, 'Side of frames, pixels.')
flags.DEFINE_integer('seed', 0, 'Other seeds are other people.')
flags.DEFINE_string('report', None, 'A .json file for the figures.')

_FRAMES_EACH = 3
_FPS = 0.5  # poses far apart
_GROUPS = {
  'jaw': layout.JAW,
  'brows': layout.LEFT_BROW + layout.RIGHT_BROW,
  'nose': layout.NOSE_BRIDGE + layout.NOSE_BASE,
  'eyes': layout.LEFT_EYE + layout.RIGHT_EYE,
  'lips': layout.OUTER_LIPS + layout.INNER_LIPS,
}


def _people():
  """Frames [F, S, S, 3] and points [F, 68, 2] of each person."""
  files = assets.open_assets(FLAGS.assets)
  options = builder.ScannedHeadsOptions(
    family=FLAGS.family, num_test_identities=FLAGS.people
  )
  for index in tqdm.tqdm(options.people()['test'], desc=FLAGS.family):
    yield clip.make_clip(
      files,
      FLAGS.seed,
      index,
      _FRAMES_EACH,
      FLAGS.image_size,
      fps=_FPS,
      family=FLAGS.family,
    )


def _errors(detector, frames, points):
  """Relative distances [found, 68] of the detector's points from the exact."""
  made = []
  for frame, ours in zip(frames, points, strict=True):
    faces = detector(frame)
    if faces:
      apart = np.linalg.norm(faces[0].points - ours, axis=-1)
      made.append(apart / layout.inter_ocular_distance(ours))
  return made


def _cosines(features):
  """Cosines within a person and between people, of features [P, F, D]."""
  features = features / np.linalg.norm(features, axis=-1, keepdims=True)
  people, frames, size = features.shape
  flat = features.reshape(-1, size)
  cosines = flat @ flat.T
  who = np.repeat(np.arange(people), frames)
  apart = who[:, None] != who
  return cosines[~apart & ~np.eye(len(who), dtype=bool)], cosines[apart]


def main():
  """Renders, measures and concludes."""
  detector = make_detector(often=True)
  sface, without = load_network('sface')
  errors, features = [], []
  for frames, points in _people():
    errors += _errors(detector, frames, points)
    if sface:
      features.append(embed_faces(frames, points, sface))
  errors = np.array(errors).reshape(-1, layout.NUM_POINTS)
  found = len(errors) / (FLAGS.people * _FRAMES_EACH)
  per_frame = errors.mean(1)
  facts = {'found': found, 'nme': per_frame.mean()}
  facts['nme_median'] = np.median(per_frame)
  facts |= {name: errors[:, list(g)].mean() for name, g in _GROUPS.items()}
  checks = [
    (f'a face in {found:.1%} of frames', found >= 0.995),
    (f'mean error {facts["nme"]:.2%}', facts['nme'] <= 0.045),
  ]
  if sface:
    same, different = _cosines(np.stack(features))
    alike = (different > 0.5).mean()
    facts |= {'same': same.mean(), 'different': different.mean()}
    facts |= {'same_lowest': same.min(), 'alike': alike}
    checks += [
      (f'cosine {same.mean():.3f} of a person', same.mean() >= 0.75),
      (f'cosine {different.mean():.3f} of people', different.mean() <= 0.3),
      (f'{alike:.2%} of pairs of people above 0.5', alike <= 0.02),
    ]
  else:
    print(without)
  facts = {name: float(value) for name, value in facts.items()}
  print(json.dumps(facts, indent=2))
  if FLAGS.report:
    Path(FLAGS.report).write_text(json.dumps(facts, indent=2))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
