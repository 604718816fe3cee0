"""Rendered talking heads of people who do not exist, free of licences.

A head is an Identity (who: shape, skin, hair, clothes, backdrop) and a Motion
(how: pose, speech, gaze, light). Both are sampled from random keys, rendered by
sphere tracing, and their 68 points follow exactly from the same geometry.
"""

import concurrent.futures
import functools
import os

import jax
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
from flaxheads.quick_jit import quick_jit

IMAGE_SIZES = (64, 128, 256, 512)

_DRAWN_AT_ONCE = 4  # frames
_MOVED_AT_ONCE = 64

# These compile for longer than they run, for any dataset.
sample_identity = quick_jit(_sample_identity, 'once')
_motion_at = quick_jit(_sample_motion, 'once')


def _in_parts(function, frames, size: int, num_threads: int = 1):
  """Calls a compiled function with the frames of a clip, `size` at a time.

  So a clip's length never costs a compilation.

  Args:
    function: takes a tree like `frames` with `size` frames, and returns a tree
      of as many.
    frames: a tree of [F, ...] arrays.
    size: the last part repeats the last frame up to it.
    num_threads: parts that run side by side.

  Returns:
    Trees of numpy arrays, put together: [F, ...].
  """
  frames = jax.tree.map(np.asarray, frames)
  num_frames = len(jax.tree.leaves(frames)[0])

  def make(first):
    take = np.minimum(np.arange(first, first + size), num_frames - 1)
    made = function(jax.tree.map(lambda f: f[take], frames))
    return jax.tree.map(np.asarray, made)

  with concurrent.futures.ThreadPoolExecutor(num_threads) as pool:
    parts = list(pool.map(make, range(0, num_frames, size)))
  return jax.tree.map(lambda *p: np.concatenate(p)[:num_frames], *parts)


def sample_motion(key: jax.Array, num_frames: int, fps: float = 25.0) -> Motion:
  """Draws the motion, the light and the camera of a clip.

  Args:
    key: a JAX random key.
    num_frames: frames in the clip, F.
    fps: frames a second.

  Returns:
    A Motion of [F] arrays, smooth in time. |yaw| stays below 45 degrees.
  """
  seconds = np.arange(num_frames, dtype=np.float32) / np.float32(fps)
  return _in_parts(functools.partial(_motion_at, key), seconds, _MOVED_AT_ONCE)


def _check_size(image_size):
  if image_size not in IMAGE_SIZES:
    raise UserError(
      f'image_size={image_size}: synthetic heads are rendered at one of '
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
  # XLA runs most of an image's loops on one core, so parts run side by side.
  return _in_parts(
    lambda part: _render.render(identity, part, image_size),
    motion,
    _DRAWN_AT_ONCE,
    os.cpu_count(),
  )


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
    image_size: the images' side, pixels.

  Returns:
    float32 [F, 68, 2], (x, y) in pixels.
  """
  unit = _in_parts(
    functools.partial(_points_at_unit_size, identity), motion, _MOVED_AT_ONCE
  )
  return unit * np.float32(image_size)


def sample_clip(
  seed: int,
  identity_index: int,
  num_frames: int,
  motion_index: int = 0,
  fps: float = 25.0,
) -> tuple[Identity, Motion]:
  """The identity and motion that `make_clip` renders of these arguments."""
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
