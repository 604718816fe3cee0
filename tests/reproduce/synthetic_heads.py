"""A detector of real faces finds the synthetic ones where their points are.

python -m tests.reproduce.synthetic_heads --num_frames=400
"""

import sys
import time

import jax
import numpy as np
import tqdm
from absl import flags

from flaxheads.data import synthetic_heads
from flaxheads.landmarks import detect, layout
from launch import app

FLAGS = flags.FLAGS
flags.DEFINE_integer('num_frames', 400, 'Frames to check at each size.')
flags.DEFINE_integer('seed', 5, 'Other seeds are other people.')

_FRAMES_EACH = 4  # of one person: several poses, expressions and lights
_MIN_FOUND = 0.99
_MAX_ERROR = 0.06  # of the distance between the outer eye corners
_TIMINGS = 3
_MIN_FPS = {64: 20.0, 128: 8.0}
_GROUPS = {
  'jaw': layout.JAW,
  'brows': layout.LEFT_BROW + layout.RIGHT_BROW,
  'nose': layout.NOSE_BRIDGE + layout.NOSE_BASE,
  'eyes': layout.LEFT_EYE + layout.RIGHT_EYE,
  'outer lips': layout.OUTER_LIPS,
  'inner lips': layout.INNER_LIPS,
}


def _sample(person):
  """Identity and motion of a few frames far apart in a clip."""
  key = jax.random.fold_in(jax.random.key(FLAGS.seed), person)
  identity = synthetic_heads.sample_identity(key)
  motion = synthetic_heads.sample_motion(jax.random.fold_in(key, 1), 100)
  picks = np.linspace(5, 95, _FRAMES_EACH).astype(int)
  return identity, jax.tree.map(lambda m: np.asarray(m)[picks], motion)


def _errors(image_size):
  """Relative distances [found, 68] between the detector's points and ours."""
  detector = detect.make_detector(often=True)
  errors, total = [], 0
  people = max(1, FLAGS.num_frames // _FRAMES_EACH)
  for person in tqdm.trange(people, desc=f'{image_size} pixels'):
    identity, motion = _sample(person)
    frames = synthetic_heads.render_frames(identity, motion, image_size)
    points = synthetic_heads.head_points(identity, motion, image_size)
    for frame, ours in zip(frames, points, strict=True):
      total += 1
      faces = detector(frame)
      if faces:
        apart = np.linalg.norm(faces[0].points - ours, axis=-1)
        errors.append(apart / layout.inter_ocular_distance(ours))
  return np.array(errors).reshape(-1, layout.NUM_POINTS), total


def _agreement(image_size):
  errors, total = _errors(image_size)
  found = len(errors) / total
  error = errors.mean() if len(errors) else np.inf
  print(
    f'{image_size} pixels: found in {len(errors)} of {total} frames '
    f'({found:.1%}), mean error {error:.2%} of the eye distance'
  )
  for name, group in _GROUPS.items():
    print(f'  {name:10} {errors[:, list(group)].mean():.2%}')
  return found >= _MIN_FOUND and error <= _MAX_ERROR


def _speed(image_size):
  identity, _ = _sample(0)
  motion = synthetic_heads.sample_motion(jax.random.key(0), 32)
  synthetic_heads.render_frames(identity, motion, image_size)  # compiles
  seconds, work = [], []
  for _ in range(_TIMINGS):
    start, used = time.perf_counter(), time.process_time()
    synthetic_heads.render_frames(identity, motion, image_size)
    seconds.append(time.perf_counter() - start)
    work.append(time.process_time() - used)
  frames = len(motion.yaw)
  fps = frames / min(seconds)
  print(
    f'{image_size} pixels: {fps:.1f} frames a second, the best of {_TIMINGS}; '
    f'{1e3 * min(work) / frames:.0f} ms of processor time a frame'
  )
  return fps >= _MIN_FPS[image_size]


def main():
  checks = [_agreement(256), _agreement(128), _speed(64), _speed(128)]
  print('PASS' if all(checks) else 'FAIL')
  if not all(checks):
    sys.exit(1)


if __name__ == '__main__':
  app.run(main)
