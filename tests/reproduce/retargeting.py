"""Retargeting halves the landmark error across people, and keeps their faces.

Pairs of synthetic people: the source, known from T pictures, is driven by
another person, and the truth is the source rendered in the driver's motion,
light and camera. Each clip is cropped by itself, as clips are. Wanted at T = 1,
8 and 32: a landmark error at most half of that of the driver's raw landmarks.
With --model, of the paper's generator, feed-forward at T = 8: more PSNR and
SSIM inside the face, against the true rendering, than from raw landmarks. That
is a proxy of CSIM, whose network knows real faces.
"""

import jax
import numpy as np
import tqdm
from absl import flags

from flaxheads import fewshot
from flaxheads.data import synthetic_heads
from flaxheads.fewshot.model import load_direct_model
from flaxheads.landmarks.crop import crop_box, crop_image, points_to_crop
from flaxheads.landmarks.retarget import retarget
from flaxheads.metrics import image
from flaxheads.metrics.landmark_error import face_mask, landmark_error
from launch import app
from tests.reproduce import _commands as commands

FLAGS = flags.FLAGS
flags.DEFINE_string('model', None, "Model of the paper's generator.")
flags.DEFINE_integer('num_pairs', 24, 'Pairs of people.', lower_bound=1)
flags.DEFINE_integer('seed', 99, 'Other seeds are other people.')

_MOTIONS = 3  # of each pair
_FRAMES = 75  # of a motion, at 25 frames/s
_DRAWN_FRAMES = 6  # of one motion of each pair
_SHOTS = (1, 8, 32)
_DRAWN_SHOTS = 8
_SIZE = 256
_RENDERED = 128


def _sample(pair):
  """The two identities, the support's motion, and the driver's motions."""
  keys = jax.random.split(
    jax.random.fold_in(jax.random.key(FLAGS.seed), pair), 3 + _MOTIONS
  )
  people = [synthetic_heads.sample_identity(key) for key in keys[:2]]
  support = synthetic_heads.sample_motion(keys[2], max(_SHOTS), 4.0)
  motions = [synthetic_heads.sample_motion(k, _FRAMES) for k in keys[3:]]
  return *people, support, motions


def _cropped(identity, motion, size=_SIZE):
  points = synthetic_heads.head_points(identity, motion, size)
  return points_to_crop(points, crop_box(points), size)


def _in_the_plane(source, driver, image_size):
  """What a plain 2-D method does: offsets from a neutral frame.

  Neutral is where source and driver are most alike but for a similarity; the
  difference there is added to every frame, turned and scaled with nose and eye
  corners.
  """
  rigid = [*range(27, 36), 36, 39, 42, 45]
  source, driver = source @ (1, 1j), driver @ (1, 1j)

  def normal(points):
    points = points - points.mean(-1, keepdims=True)
    return points / np.linalg.norm(points, axis=-1, keepdims=True)

  def align(points, onto):
    a, b = points[rigid], onto[rigid]
    spread = np.square(np.abs(a - a.mean())).sum()
    turn = (np.conj(a - a.mean()) * (b - b.mean())).sum() / spread
    return turn, b.mean() - turn * a.mean()

  likeness = np.abs(normal(source) @ np.conj(normal(driver)).T)  # [T, F]
  t, f = np.unravel_index(likeness.argmax(), likeness.shape)
  turn, shift = align(source[t], driver[f])
  apart = turn * source[t] + shift - driver[f]
  moved = np.array(
    [frame + apart / align(frame, driver[f])[0] for frame in driver]
  )
  moved = np.stack([moved.real, moved.imag], -1)
  return points_to_crop(moved, crop_box(moved), image_size)


def _measure_points(people):
  """Mean errors by (method, T), in units of the eye distance."""
  errors = {}
  for source, other, support, motions in tqdm.tqdm(people, desc='landmarks'):
    known = _cropped(source, support)
    for motion in motions:
      driver, truth = _cropped(other, motion), _cropped(source, motion)
      for shots in _SHOTS:
        chosen = known[np.linspace(0, len(known) - 1, shots).astype(int)]
        found = {
          'raw': driver,
          'plane': _in_the_plane(chosen, driver, _SIZE),
          'ours': retarget(chosen, driver, _SIZE),
          'self': retarget(chosen, truth, _SIZE),
        }
        for method, points in found.items():
          error = landmark_error(points, truth).mean()
          errors.setdefault((method, shots), []).append(error)
  return {key: float(np.mean(values)) for key, values in errors.items()}


def _crops(identity, motion, chosen, size):
  """Frames and points of some frames of a clip, cropped by the whole clip."""
  points = synthetic_heads.head_points(identity, motion, _RENDERED)
  box = crop_box(points)
  part = jax.tree.map(lambda field: np.asarray(field)[chosen], motion)
  frames = synthetic_heads.render_frames(identity, part, _RENDERED)
  frames = np.stack([crop_image(frame, box, size) for frame in frames])
  return frames, points_to_crop(points[chosen], box, size)


def _in_face(drawn, truth, points):
  """Mean PSNR and SSIM of pictures that differ inside the faces alone."""
  mask = face_mask(points, truth.shape[1])
  drawn = np.where(mask[..., None], drawn, truth)
  drawn, truth = image.to_unit_range(drawn), image.to_unit_range(truth)
  inside = np.asarray(image.psnr(drawn, truth, mask))
  return float(inside.mean()), float(
    np.asarray(image.ssim(drawn, truth)).mean()
  )


def _measure_pictures(people):
  """Mean (PSNR, SSIM) by method: what the model generates."""
  model = load_direct_model(FLAGS.model)
  size, scores = model.config.image_size, {}
  spread = np.linspace(0, max(_SHOTS) - 1, _DRAWN_SHOTS).astype(int)
  for source, other, support, motions in tqdm.tqdm(people, desc='pictures'):
    frames, known = _crops(source, support, spread, size)
    person = fewshot.feed_forward(model, frames, known)
    chosen = np.linspace(0, _FRAMES - 1, _DRAWN_FRAMES).astype(int)
    # In the light of the first support frame: landmarks tell nothing of light.
    light = {
      name: np.full(_FRAMES, np.asarray(getattr(support, name))[0])
      for name in support._fields
      if name.startswith('light')
    }
    motion = motions[0]._replace(**light)
    truth, points = _crops(source, motion, chosen, size)
    driver = _cropped(other, motion, size)
    moved = retarget(person.support_points, driver, size)
    for method, given in (
      ('raw', driver[chosen]),
      ('ours', moved[chosen]),
      ('truth', points),
    ):
      drawn = fewshot.animate(person, given)
      scores.setdefault(method, []).append(_in_face(drawn, truth, points))
  return {method: np.mean(values, 0) for method, values in scores.items()}


_NAMES = {
  'raw': "driver's raw landmarks",
  'plane': 'offsets in the plane',
  'ours': 'retargeted',
  'self': "retargeted, one's own motion",
}


def main():
  """Measures and prints the verdict."""
  people = [_sample(pair) for pair in range(FLAGS.num_pairs)]
  errors = _measure_points(people)
  for method, name in _NAMES.items():
    listed = ', '.join(f'{errors[method, shots]:.2%}' for shots in _SHOTS)
    print(f'{name}: landmark error at T = 1, 8, 32: {listed}')
  checks = []
  for shots in _SHOTS:
    ours, raw = errors['ours', shots], errors['raw', shots]
    claim = f'T={shots}: retargeted {ours:.2%}, raw {raw:.2%}'
    checks.append((claim, ours <= raw / 2))
  scores = _measure_pictures(people)
  for n, name in enumerate(('PSNR', 'SSIM')):
    ours, raw, best = (scores[m][n] for m in ('ours', 'raw', 'truth'))
    claim = (
      f'{name} inside the face: retargeted {ours:.3f}, raw {raw:.3f}; from the'
      f' true landmarks {best:.3f}'
    )
    checks.append((claim, ours > raw))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
