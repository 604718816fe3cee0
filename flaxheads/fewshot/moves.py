"""Pictures moved a little, so that few of them teach more (ours)."""

import jax

from flaxheads.config import AugmentConfig
from flaxheads.data.augment import augment
from flaxheads.landmarks.rasterise import rasterise_landmarks

# Where a face moves, its surroundings rarely move with it: so only a share of
# the steps sees pictures moved as a whole, and none is mirrored.
_MOVES = AugmentConfig(flip=False, colour=0.0)


@jax.jit
def move(frames, points, key):
  """Shifts, turns and zooms every picture by itself, with its landmarks.

  Args:
    frames: uint8 [B, H, W, 3].
    points: [B, 68, 2] in pixels.
    key: of this step.

  Returns:
    x and y, each [B, H, W, 3] in [-1, 1].
  """
  keys = jax.random.split(key, frames.shape[0])
  frames, points = augment(keys, frames[:, None], points[:, None], _MOVES)
  return frames[:, 0], rasterise_landmarks(points[:, 0], frames.shape[2])


def is_moved(step: int, share: float) -> bool:
  """Whether the pictures of `step` (from 1) are moved; evenly spread."""
  return int(step * share) > int((step - 1) * share)
