"""Makes the inputs of the networks from a batch, on the device."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.config import Config
from flaxheads.data.augment import augment
from flaxheads.data.batch import Batch
from flaxheads.landmarks.rasterise import rasterise_landmarks
from flaxheads.training import parallel


class ModelInputs(NamedTuple):
  """A batch ready for the networks, this device's part.

  Attributes:
    support_frames: [b, K, H, W, 3] in [-1, 1].
    support_landmarks: [b, K, H, W, 3] in [-1, 1].
    target_frame: x, [b, H, W, 3].
    target_landmarks: y, [b, H, W, 3].
    target_points: [b, 68, 2], pixels.
    video_index: int32 [b].
  """

  support_frames: jax.Array
  support_landmarks: jax.Array
  target_frame: jax.Array
  target_landmarks: jax.Array
  target_points: jax.Array
  video_index: jax.Array


def sample_keys(key: jax.Array, count: int) -> jax.Array:
  """A key for each sample of this device, by its place in the global batch."""
  place = parallel.index() * count + jnp.arange(count)
  return jax.vmap(lambda i: jax.random.fold_in(key, i))(place)


def prepare_inputs(batch: Batch, key: jax.Array, config: Config) -> ModelInputs:
  """Augments frames and points together and rasterises the landmarks.

  Args:
    batch: this device's part; the last of the K+1 frames is the target.
    key: of this step, the same on all devices.
    config: the experiment.

  Returns:
    ModelInputs. What happens to a sample depends on its place in the global
    batch, not on the number of devices.
  """
  frames, points = augment(
    sample_keys(key, batch.frames.shape[0]),
    batch.frames,
    batch.points,
    config.augment,
  )
  landmark_images = rasterise_landmarks(points, config.model.image_size)
  return ModelInputs(
    frames[:, :-1],
    landmark_images[:, :-1],
    frames[:, -1],
    landmark_images[:, -1],
    points[:, -1],
    batch.video_index,
  )
