"""Makes the inputs of the bi-layer networks from a batch of the pipeline."""

from typing import NamedTuple

import jax

from flaxheads.bilayer_config import BilayerConfig
from flaxheads.data.augment import augment
from flaxheads.data.batch import Batch
from flaxheads.data.mesh_pairs import MIRROR
from flaxheads.landmarks import layout
from flaxheads.training.model_inputs import sample_keys

_BIAS, _JITTER = 0.7, 1.2  # of the landmark noise: of a face, of a frame


class Meshes(NamedTuple):
  """A batch ready for the networks, this device's part.

  Attributes:
    support_frames: float32 [b, K, S, S, 3] in [-1, 1]; the first is the
      photograph.
    support_vertices: float32 [b, K, V, 3], pixels and cm.
    target_frame: x, float32 [b, S, S, 3].
    target_vertices: float32 [b, V, 3].
  """

  support_frames: jax.Array
  support_vertices: jax.Array
  target_frame: jax.Array
  target_vertices: jax.Array


def _disturb(key, vertices, strength):
  """Landmarks as a detector finds them: [K+1, V, 3] of one sample.

  A bias of the face, the same in all frames, and an error of each frame.
  """
  keys = jax.random.split(key, 3)
  count, points = vertices.shape[0], layout.NUM_POINTS
  bias = _BIAS * jax.random.normal(keys[0], (points, 2))
  jitter = _JITTER * jax.random.uniform(keys[1])
  error = bias + jitter * jax.random.normal(keys[2], (count, points, 2))
  return vertices.at[:, :points, :2].add(strength * error)


def prepare_meshes(
  batch: Batch, key: jax.Array, config: BilayerConfig
) -> Meshes:
  """Augments frames and meshes together.

  Args:
    batch: this device's part; points are vertices [b, K+1, V, 3].
    key: of this step, the same on all devices.
    config: the experiment.
  """
  keys = sample_keys(key, batch.frames.shape[0])
  frames, vertices = augment(
    keys, batch.frames, batch.points, config.augment, MIRROR
  )
  strength = config.augment.landmark_noise * config.model.image_size
  if strength:
    keys = jax.vmap(lambda k: jax.random.fold_in(k, 1))(keys)
    vertices = jax.vmap(_disturb, (0, 0, None))(keys, vertices, strength)
  return Meshes(
    frames[:, :-1], vertices[:, :-1], frames[:, -1], vertices[:, -1]
  )
