"""Tiny networks, states and batches for tests: made by numpy, not compiled.

Initialising a network with its own initialisers compiles for longer than most
tests run, and leaves gates and biases at zero, where a missing gradient does
not show. Here every number is random.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from configs import tiny
from flaxheads import networks as nets
from flaxheads.config import FinetuneConfig
from flaxheads.data import records
from flaxheads.data.batch import Batch
from flaxheads.fewshot import Model
from flaxheads.training import meta_training, parallel
from flaxheads.training.content_loss import pyramid_content
from flaxheads.training.identity_table import IdentityTable
from flaxheads.training.optimizers import adam
from flaxheads.training.state import (
  STATE_SPECS,
  TrainState,
  embedder_and_generator,
)
from flaxheads.training.step import make_train_step

SIZE = 32
EMBEDDING_SIZE = 16
FINETUNING = FinetuneConfig(
  batch_size=2,
  min_steps=4,
  max_steps=4,
  check_every=2,
  patience=9,
  ema_decay=0.0,
)


def make_config(**training):
  """The tiny experiment, tinier still; fields of `training` can be given."""
  config = tiny.get_config()
  config.model = dataclasses.replace(
    config.model,
    image_size=SIZE,
    max_channels=16,
    embedding_size=EMBEDDING_SIZE,
  )
  config.training = dataclasses.replace(config.training, **training)
  config.identity_table.initial_size = 0.4  # rows are those of make_state
  return config


def _fill(path, shape, rng):
  if path[-1] == 'kernel':
    return rng.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))
  if path[-1] == 'scale':
    return 1 + 0.2 * rng.normal(size=shape)
  if path[-1] == 'gate':
    return np.array(0.5)
  if path[-1] == 'b':  # so far off that the hinges are not all active
    return np.array(1.5)
  return 0.2 * rng.normal(size=shape)


def random_tree(shapes, seed=0):
  """A tree of random float32 arrays with the names and shapes of `shapes`."""
  rng = np.random.default_rng(seed)
  flat = {
    path: np.asarray(_fill(path, leaf.shape, rng), np.float32)
    for path, leaf in traverse_util.flatten_dict(shapes).items()
  }
  return traverse_util.unflatten_dict(flat)


def make_params(config, seed=0):
  """Random parameters of the three networks."""
  networks = nets.build_networks(config.model)
  shapes = jax.eval_shape(lambda: nets.init_params(networks, jax.random.key(0)))
  return random_tree(shapes, seed)


def make_vectors(params):
  """The top right singular vectors of all kernels, by numpy's SVD."""
  vectors = {}
  for path, leaf in traverse_util.flatten_dict(params).items():
    if path[-1] == 'kernel':
      matrix = np.asarray(leaf).reshape(-1, leaf.shape[-1])
      top = np.linalg.svd(matrix, full_matrices=False)[2][0]
      vectors[path[:-1] + ('u',)] = top.astype(np.float32)
  return traverse_util.unflatten_dict(vectors)


def _zeros(shapes):
  return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)


def make_state(config, num_rows=64, seed=0):
  """A training state at step 0 with random parameters."""
  params = make_params(config, seed)
  optimizer = adam(config.optimizer)
  rng = np.random.default_rng([seed, 1])
  shape = (num_rows, EMBEDDING_SIZE)
  return TrainState(
    step=np.zeros((), np.int32),
    params=params,
    spectral=make_vectors(params),
    generator_optimizer=_zeros(
      jax.eval_shape(optimizer.init, embedder_and_generator(params))
    ),
    discriminator_optimizer=_zeros(
      jax.eval_shape(optimizer.init, params['discriminator'])
    ),
    ema=jax.tree.map(lambda leaf: leaf + 0.5, embedder_and_generator(params)),
    table=IdentityTable(
      rng.normal(size=shape).astype(np.float32),
      np.zeros(shape, np.float32),
      np.zeros(num_rows, np.int32),
    ),
  )


def as_float64(tree):
  """The same numbers; whole ones stay whole."""
  return jax.tree.map(
    lambda leaf: (
      np.asarray(leaf, np.float64)
      if np.issubdtype(leaf.dtype, np.floating)
      else np.asarray(leaf)
    ),
    tree,
  )


def place_state(state, mesh):
  """Puts every part of a state where STATE_SPECS says."""
  return TrainState(
    **{
      name: parallel.place(getattr(state, name), mesh, spec)
      for name, spec in vars(STATE_SPECS).items()
    }
  )


def make_step(config, mesh):
  """The training step over a mesh, with the pyramid loss."""
  networks = nets.build_networks(config.model)
  return make_train_step(config, networks, pyramid_content(config.loss), mesh)


def make_recipe(config):
  """The experiment's recipe; its state has the parameters of `make_state`."""

  def create_state(num_videos, mesh):
    del num_videos  # 64 rows, as many as any small number of videos has
    return place_state(make_state(config), mesh)

  return meta_training.make_recipe(config)._replace(create_state=create_state)


def make_faces(num_frames, seed=0, size=SIZE):
  """Smooth images uint8 [F, S, S, 3] and points float32 [F, 68, 2]."""
  rng = np.random.default_rng(seed)
  coarse = rng.integers(0, 256, (num_frames, 8, 8, 3), dtype=np.uint8)
  frames = coarse.repeat(size // 8, 1).repeat(size // 8, 2)
  points = rng.uniform(8, size - 8, (num_frames, 68, 2)).astype(np.float32)
  return frames, points


def make_record(video: int, num_frames: int = 4, size: int = SIZE):
  """A record of a person of its own."""
  frames, points = make_faces(num_frames, video, size)
  return records.make_record(
    frames,
    points,
    np.arange(num_frames) / 25,
    video_id=f'video{video}',
    identity_id=f'person{video}',
  )


def make_batch(config, batch_size, seed=0, video_index=None):
  """A batch of random images and points."""
  count, size = config.data.num_support + 1, config.model.image_size
  frames, points = make_faces(batch_size * count, seed, size)
  if video_index is None:
    video_index = 7 * np.arange(batch_size)
  return Batch(
    frames.reshape(batch_size, count, size, size, 3),
    points.reshape(batch_size, count, 68, 2),
    np.asarray(video_index, np.int32),
  )


def make_model(config, seed=0):
  """A model of random parameters."""
  params = jax.tree.map(jnp.asarray, make_params(config, seed))
  return Model(config, params, make_vectors(params), {'sha256': 'of tests'})


def assert_trees_equal(first, second):
  """Same structure, and every number the same."""
  assert jax.tree.structure(first) == jax.tree.structure(second)
  jax.tree.map(np.testing.assert_array_equal, first, second)


def worst_layer(ours, theirs, before):
  """By how much two trees differ, measured by how far they moved.

  Leaf by leaf would be too much to ask: biases before a normalisation and
  those of attention's keys have no gradient but rounding. And of a layer that
  hardly moved float32 keeps but the beginning of its move.

  Returns:
    The largest |ours - theirs| / |ours - before| of a layer, and its name.
  """
  sums = {}
  for (path, a), b, old in zip(
    jax.tree_util.tree_leaves_with_path(ours),
    *map(jax.tree.leaves, (theirs, before)),
    strict=True,
  ):
    a, b, old = map(np.float64, (a, b, old))
    squares = np.array(
      [np.sum((a - b) ** 2), np.sum((a - old) ** 2), np.sum(old**2)]
    )
    sums[path[:-1]] = sums.get(path[:-1], 0) + squares
  differences = {}
  for path, squares in sums.items():
    difference, moved, size = np.sqrt(squares)
    scale = moved + 1e-3 * size + 1e-9
    differences[jax.tree_util.keystr(path)] = difference / scale
  name = max(differences, key=differences.get)
  return differences[name], name
