"""Endless talking heads, drawn from numbers: nobody's face, nobody's licence.

A head is an Identity (who: shape, skin, hair, clothes, backdrop) and a Motion
(how: pose, speech, gaze, light). Both are sampled from random keys, drawn by
sphere tracing, and their 68 points follow exactly from the same geometry.
"""

import concurrent.futures
import functools
import os

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.data.synthetic_heads import points as _points
from flaxheads.data.synthetic_heads import render as _render
from flaxheads.data.synthetic_heads import scene as _scene
from flaxheads.data.synthetic_heads.identity import Identity
from flaxheads.data.synthetic_heads.identity import (
  sample_identity as _sample_identity,
)
from flaxheads.data.synthetic_heads.motion import Motion
from flaxheads.data.synthetic_heads.motion import (
  sample_motion as _sample_motion,
)
from flaxheads.errors import UserError

IMAGE_SIZES = (64, 128, 256, 512)

# Frames that one compiled call draws: a clip of any length is drawn in parts
# of this many, so that its length never costs a compilation.
_PART = 4

sample_identity = jax.jit(_sample_identity)
sample_motion = functools.partial(
  jax.jit, static_argnames=('num_frames', 'fps')
)(_sample_motion)


def _check_size(image_size):
  if image_size not in IMAGE_SIZES:
    raise UserError(
      f'image_size={image_size}: synthetic heads are drawn at one of '
      f'{", ".join(map(str, IMAGE_SIZES))}'
    )


def render_frames(
  identity: Identity, motion: Motion, image_size: int
) -> np.ndarray:
  """Draws a clip.

  Args:
    identity: who; see sample_identity.
    motion: how, F frames; see sample_motion.
    image_size: 64, 128, 256 or 512.

  Returns:
    uint8 [F, S, S, 3], RGB.

  Raises:
    UserError: another image_size.
  """
  _check_size(image_size)
  num_frames = len(motion.yaw)
  motion = jax.tree.map(np.asarray, motion)

  def draw(first):
    # The last part repeats the last frame up to the compiled length.
    take = np.minimum(np.arange(first, first + _PART), num_frames - 1)
    part = jax.tree.map(lambda m: m[take], motion)
    return np.asarray(_render.render(identity, part, image_size))

  # XLA runs most of a picture's loops on one core, so parts run side by side.
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    drawn = list(pool.map(draw, range(0, num_frames, _PART)))
  return np.concatenate(drawn)[:num_frames]


@jax.jit
def _points_at_unit_size(identity, motion):
  def one(m):
    return _points.project_points(_scene.make_scene(identity, m), 1)

  return jax.vmap(one)(motion)


def head_points(
  identity: Identity, motion: Motion, image_size: int
) -> np.ndarray:
  """The clip's 68 points, exact.

  Points of the jaw that the head hides are given where they are, behind it.

  Args:
    identity: who.
    motion: how, F frames.
    image_size: the pictures' side, pixels.

  Returns:
    float32 [F, 68, 2], (x, y) in pixels.
  """
  unit = _points_at_unit_size(identity, jax.tree.map(jnp.asarray, motion))
  return np.asarray(unit) * np.float32(image_size)


def sample_clip(
  seed: int,
  identity_index: int,
  num_frames: int,
  motion_index: int = 0,
  fps: float = 25.0,
) -> tuple[Identity, Motion]:
  """Who and how `make_clip` draws, of the same arguments."""
  person_key = jax.random.fold_in(jax.random.key(seed), identity_index)
  motion_key = jax.random.fold_in(
    jax.random.fold_in(person_key, 1), motion_index
  )
  identity = sample_identity(jax.random.fold_in(person_key, 0))
  return identity, sample_motion(motion_key, num_frames, fps)


def make_clip(
  seed: int,
  identity_index: int,
  num_frames: int,
  image_size: int,
  motion_index: int = 0,
  fps: float = 25.0,
) -> tuple[np.ndarray, np.ndarray]:
  """Draws a clip from whole numbers alone.

  Args:
    seed: of the whole dataset.
    identity_index: who; depends on seed and this alone.
    num_frames: F.
    image_size: 64, 128, 256 or 512.
    motion_index: which of this person's motions and lights.
    fps: frames a second; fewer show more poses in as many frames.

  Returns:
    Frames uint8 [F, S, S, 3] and points float32 [F, 68, 2].
  """
  identity, motion = sample_clip(
    seed, identity_index, num_frames, motion_index, fps
  )
  frames = render_frames(identity, motion, image_size)
  return frames, head_points(identity, motion, image_size)
