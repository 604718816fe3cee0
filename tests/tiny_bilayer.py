"""A tiny bi-layer experiment, with states and batches made by numpy."""

import jax
import numpy as np

from configs import bilayer_tiny
from flaxheads import bilayer_networks as nets
from flaxheads.data import mesh_pairs, records
from flaxheads.data.batch import Batch
from flaxheads.landmarks import face_shape, head_mesh
from flaxheads.training import identity_table
from flaxheads.training.optimizers import adam
from flaxheads.training.state import TrainState
from tests import tiny_game

SIZE = 64


def make_config(**training):
  """The tiny experiment; fields of `training` can be given."""
  config = bilayer_tiny.get_config()
  for name, value in training.items():
    setattr(config.training, name, value)
  return config


def make_points(num_frames, seed=0):
  """Faces that turn and speak: float32 [F, 68, 2], pixels of a frame of 64."""
  rng = np.random.default_rng(seed)
  yaw = rng.uniform(-0.3, 0.3, num_frames)
  cos, sin, zero = np.cos(yaw), np.sin(yaw), np.zeros(num_frames)
  rotation = np.stack([cos, zero, sin, zero, zero + 1, zero, -sin, zero, cos])
  statistics = face_shape.statistics()
  motion = face_shape.Motion(
    rotation.T.reshape(-1, 3, 3),
    np.full(num_frames, 2.0),
    np.zeros((num_frames, 2)),
    0.5 * rng.normal(size=(num_frames, len(statistics.expression))),
  )
  shape = statistics.mean + motion.offsets()
  points = face_shape.project(shape, motion) * (1, -1) + (32, 30)
  return points.astype(np.float32)


def make_record(video: int, num_frames: int = 4):
  """A record of a face on a smooth image."""
  frames, _ = tiny_game.make_faces(num_frames, video, SIZE)
  return records.make_record(
    frames,
    make_points(num_frames, video),
    np.arange(num_frames) / 25,
    video_id=f'video{video}',
    identity_id=f'person{video}',
  )


def make_batch(config, batch_size, seed=0, video_index=None):
  """A batch of images and meshes of the config's image size."""
  count, size = config.data.num_support + 1, config.model.image_size
  scale = size // SIZE
  frames, _ = tiny_game.make_faces(batch_size * count, seed, SIZE)
  frames = frames.repeat(scale, 1).repeat(scale, 2)
  track = head_mesh.fit_head(make_points(batch_size * count, seed))
  vertices = head_mesh.mesh_vertices(track) * np.float32([scale, scale, 1])
  if video_index is None:
    video_index = 7 * np.arange(batch_size)
  return Batch(
    frames.reshape(batch_size, count, size, size, 3),
    vertices.reshape(batch_size, count, mesh_pairs.NUM_VERTICES, 3),
    np.asarray(video_index, np.int32),
  )


def make_params(config, seed=0):
  """Random parameters of the three networks."""
  networks = nets.build_networks(config.model)
  shapes = jax.eval_shape(lambda: nets.init_params(networks, jax.random.key(0)))
  return tiny_game.random_tree(shapes, seed)


def make_state(config, num_rows=64, seed=0):
  """A training state at step 0 with random parameters."""
  params = make_params(config, seed)
  player = {name: params[name] for name in ('embedder', 'generator')}
  optimizer = adam(config.optimizer)
  critic = params['discriminator']
  zeros = lambda tree: jax.tree.map(  # noqa: E731
    lambda leaf: np.zeros(leaf.shape, leaf.dtype),
    jax.eval_shape(optimizer.init, tree),
  )
  rng = np.random.default_rng([seed, 1])
  shape = (num_rows, config.model.embedding_size)
  return TrainState(
    step=np.zeros((), np.int32),
    params=params,
    spectral=tiny_game.make_vectors({'discriminator': critic}),
    generator_optimizer=zeros(player),
    discriminator_optimizer=zeros(critic),
    ema=jax.tree.map(lambda leaf: leaf + 0.5, player),
    table=identity_table.IdentityTable(
      rng.normal(size=shape).astype(np.float32),
      np.zeros(shape, np.float32),
      np.zeros(num_rows, np.int32),
    ),
  )
