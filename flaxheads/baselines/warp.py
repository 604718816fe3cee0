"""The baseline that warps the nearest support frame by the head mesh.

It learns nothing: the pixels are those of the support frame, moved by
flaxheads.landmarks.head_warp. A useful network has to be better than it.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.baselines.nearest import nearest_indices
from flaxheads.landmarks import head_mesh
from flaxheads.landmarks.head_warp import sample_bilinear, warp_field

_BATCH = 8


@functools.partial(jax.jit, static_argnames='image_size')
def _warp_batch(frames, source, target, image_size):
  """uint8 [B, S, S, 3] and vertices [B, V, 3] to uint8 [B, S, S, 3]."""
  field = warp_field(source, target, image_size)
  moved = sample_bilinear(frames.astype(jnp.float32), field.xy)
  return jnp.round(moved).astype(jnp.uint8)


def warp(support_frames, support_points, drivers) -> np.ndarray:
  """Warps the nearest support frame of every driver.

  Args:
    support_frames: uint8 [T, S, S, 3].
    support_points: float [T, 68, 2], pixels.
    drivers: flaxheads.evaluation.protocol.Drivers; only its points are used.

  Returns:
    uint8 [F, S, S, 3]; equal to the support frame where the points are equal.
  """
  support_frames = np.asarray(support_frames)
  size = support_frames.shape[1]
  chosen = nearest_indices(support_points, drivers.points)
  support = head_mesh.fit_head(support_points)
  source = head_mesh.mesh_vertices(support)
  target = head_mesh.mesh_vertices(
    head_mesh.fit_head(drivers.points, support.rest)
  )
  warped = []
  for start in range(0, len(chosen), _BATCH):
    # One batch size compiles once; the last frame fills the last batch.
    batch = np.arange(start, start + _BATCH).clip(max=len(chosen) - 1)
    shots = chosen[batch]
    warped.append(
      _warp_batch(support_frames[shots], source[shots], target[batch], size)
    )
  return np.concatenate(warped)[: len(chosen)]
