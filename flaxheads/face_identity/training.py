"""Trains a face identity network on the records of the model.

It is a proxy for ArcFace, if its weights are not available or may not be used.
Two frames of a video become closer to each other, in cosine, than to frames of
the other videos of a batch (NT-Xent, Chen et al. 2020, equation 1; without
their head, and with Adam). Faces are aligned as for ArcFace. Its cosines
compare methods, and are no CSIM; its weight files say so.
"""

import functools
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from flaxheads.data.augment import augment
from flaxheads.data.batch import Batch
from flaxheads.data.pixels import to_float, to_uint8
from flaxheads.face_identity.config import FaceIdentityConfig
from flaxheads.metrics import identity
from flaxheads.models import pretrained
from flaxheads.training import parallel
from flaxheads.training.face_crops import align
from flaxheads.training.model_inputs import sample_keys
from flaxheads.training.optimizers import (
  adam,
  apply_gradient,
  learning_rate_scale,
)
from flaxheads.training.preview import Preview, preview_batch
from flaxheads.training.recipe import Recipe, replicate_step
from flaxheads.weights import store

_TINY = 1e-12


@flax.struct.dataclass
class State:
  """Everything that a step reads and writes.

  Attributes:
    step: int32, updates done.
    params: of the network.
    optimizer: Adam's state.
  """

  step: jax.Array
  params: dict
  optimizer: optax.OptState


class Terms(NamedTuple):
  """Of the global batch.

  Attributes:
    nt_xent: the loss, in nats.
    accuracy: share of frames whose nearest other is of their own video.
  """

  nt_xent: jax.Array
  accuracy: jax.Array


class Metrics(NamedTuple):
  """Scalars of one step."""

  face_identity: Terms
  gradient_norm: jax.Array
  learning_rate_scale: jax.Array


def _unit(embeddings):
  square = jnp.square(embeddings).sum(-1, keepdims=True)
  return embeddings * jax.lax.rsqrt(square + _TINY)


def _cosines(a, b):
  """Of unit vectors [M, D] and [N, D]: [M, N]."""
  return jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)


def contrast(embeddings, temperature: float) -> Terms:
  """NT-Xent of this device's part, among the embeddings of all devices.

  Args:
    embeddings: [b, 2, D], two frames of each video.
    temperature: of the softmax over cosines.

  Returns:
    Terms, means over this device's frames.
  """
  b = embeddings.shape[0]
  unit = _unit(embeddings)
  all_units = parallel.all_gather(unit).reshape(-1, unit.shape[-1])  # [2B, D]
  own = parallel.index() * 2 * b + jnp.arange(2 * b)
  logits = _cosines(unit.reshape(2 * b, -1), all_units) / temperature
  logits = jnp.where(own[:, None] == jnp.arange(len(all_units)), -1e9, logits)
  pair = own ^ 1  # frames 2 i and 2 i + 1 are of one video
  loss = optax.softmax_cross_entropy_with_integer_labels(logits, pair)
  return Terms(loss.mean(), (logits.argmax(-1) == pair).mean())


def _init_params(key):
  network = pretrained.make_network(store.PROXY)
  size = identity.ARCFACE.size
  return network.init(key, jnp.zeros((1, size, size, 3)))['params']


def _step(state, batch: Batch, constants, *, config, network):
  del constants
  key = jax.random.fold_in(jax.random.key(config.seed), state.step)
  b, count = batch.frames.shape[:2]
  # Each frame by itself: a transform that both share would give them away.
  keys = jax.vmap(lambda key: jax.random.split(key, (count, 2)))(
    sample_keys(key, b)
  ).reshape(-1, 2)
  frames, points = augment(
    keys[:, 0],
    batch.frames.reshape(-1, 1, *batch.frames.shape[2:]),
    batch.points.reshape(-1, 1, *batch.points.shape[2:]),
    config.augment,
  )
  noise = jax.vmap(lambda key: jax.random.normal(key, (5, 2)))(keys[:, 1])
  noise *= config.contrast.landmark_noise
  faces = align(frames[:, 0], points[:, 0], noise=noise)

  def loss(params):
    embeddings = network.apply({'params': params}, faces)
    terms = contrast(
      embeddings.reshape(b, count, -1), config.contrast.temperature
    )
    return terms.nt_xent, terms

  gradient, terms = jax.grad(loss, has_aux=True)(state.params)
  gradient = parallel.mean(gradient)
  scale = learning_rate_scale(
    state.step, config.optimizer, config.training.num_steps
  )
  params, optimizer = apply_gradient(
    state.params,
    state.optimizer,
    gradient,
    adam(config.optimizer),
    scale * config.optimizer.learning_rate,
  )
  norm = optax.tree.norm(gradient)
  metrics = Metrics(parallel.mean(terms), norm, scale)
  return State(state.step + 1, params, optimizer), metrics


def _make_step(config, network, mesh: parallel.Mesh):
  step = functools.partial(_step, config=config, network=network)
  return replicate_step(step, mesh)


def _make_preview(network, batch: Batch):
  """Looks at pairs of faces: cosines of the same person and of others."""
  batch = preview_batch(batch)

  @jax.jit
  def compute(params, batch):
    b, count = batch.frames.shape[:2]
    faces = align(
      to_float(batch.frames).reshape(-1, *batch.frames.shape[2:]),
      batch.points.reshape(-1, *batch.points.shape[2:]),
    )
    embeddings = network.apply({'params': params}, faces)
    unit = _unit(embeddings).reshape(b, count, -1)
    cosines = _cosines(unit[:, 0], unit[:, -1])
    same = jnp.trace(cosines) / b
    other = (cosines.sum() - jnp.trace(cosines)) / max(b * (b - 1), 1)
    faces = faces.reshape(b, count, *faces.shape[1:])
    sheet = to_uint8(jnp.concatenate([faces[:, 0], faces[:, -1]], 2))
    return Preview(
      sheet.reshape(-1, *sheet.shape[2:]),
      other - same,
      {'people/same': same, 'people/other': other},
    )

  return lambda state: jax.device_get(compute(state.params, batch))


def make_recipe(config: FaceIdentityConfig) -> Recipe:
  """What the loop trains."""
  network = pretrained.make_network(store.PROXY)

  def init():
    params = _init_params(jax.random.key(config.seed))
    return State(
      jnp.zeros((), jnp.int32), params, adam(config.optimizer).init(params)
    )

  return Recipe(
    {},
    lambda _, mesh: parallel.describe(init, mesh, parallel.REPLICATED),
    lambda _, mesh: parallel.build(init, mesh, parallel.REPLICATED),
    functools.partial(_make_step, config, network),
    functools.partial(_make_preview, network),
    {
      'nt_xent': 'face_identity/nt_xent',
      'accuracy': 'face_identity/accuracy',
    },
  )
