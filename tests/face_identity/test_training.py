"""The network that tells people apart: alignment, loss, devices, a step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import face_identity_64
from flaxheads import experiments
from flaxheads.data.batch import Batch
from flaxheads.data.synthetic_heads import make_clip
from flaxheads.face_identity import training as face_identity
from flaxheads.metrics import identity
from flaxheads.training import parallel
from tests import tiny_game


@pytest.fixture(scope='module')
def clip():
  return make_clip(5, 0, 2, 64)


def test_faces_are_aligned_as_for_arcface(clip):
  frames, points = clip
  wanted = identity.align(frames, points) * 2 - 1
  found = face_identity.align(frames / 127.5 - 1, points)
  # OpenCV samples at 1/32 of a pixel.
  np.testing.assert_allclose(found, wanted, atol=0.02)
  assert np.ptp(wanted) > 1


def test_noise_moves_the_five_points(clip):
  frames, points = clip
  frames = frames / 127.5 - 1
  shift = np.broadcast_to([3.0, 0.0], (2, 5, 2))  # all five: the face moves
  moved = face_identity.align(frames, points, noise=shift)
  still = face_identity.align(frames, points)
  np.testing.assert_allclose(moved[:, :, 3:], still[:, :, :-3], atol=1e-3)


def _nt_xent(embeddings, temperature):
  """By its definition, frame after frame."""
  flat = embeddings.reshape(-1, embeddings.shape[-1])
  flat = flat / np.linalg.norm(flat, axis=-1, keepdims=True)
  losses, right = [], []
  for i in range(len(flat)):
    others = [k for k in range(len(flat)) if k != i]
    scores = np.exp(flat[others] @ flat[i] / temperature)
    pair = others.index(i ^ 1)
    losses.append(-np.log(scores[pair] / scores.sum()))
    right.append(scores.argmax() == pair)
  return np.mean(losses), np.mean(right)


@pytest.mark.parametrize('num_devices', [1, 8])
def test_the_loss_is_nt_xent_of_the_whole_batch(num_devices):
  embeddings = np.random.default_rng(0).normal(size=(8, 2, 5))
  embeddings[:, 1] += 2 * embeddings[:, 0]  # some pairs are nearest, some not
  mesh = parallel.make_mesh(num_devices)

  def loss(x, weights):
    # As in a step: a gradient by what all devices share.
    def of(weights):
      return face_identity.contrast(x * weights, 0.2).nt_xent

    gradient = parallel.mean(jax.grad(of)(weights))
    return parallel.mean(face_identity.contrast(x * weights, 0.2)), gradient

  mapped = parallel.pmap(
    loss,
    mesh,
    (parallel.SHARDED, parallel.REPLICATED),
    (parallel.REPLICATED, parallel.REPLICATED),
  )
  weights = np.linspace(0.5, 2, 5).astype(np.float32)
  terms, gradient = mapped(embeddings.astype(np.float32), weights)
  value, share = _nt_xent(embeddings * weights, 0.2)
  np.testing.assert_allclose(terms.nt_xent, value, rtol=1e-5)
  assert 0.1 < share < 1
  np.testing.assert_allclose(terms.accuracy, share, rtol=1e-6)
  for i in range(5):
    step = 1e-4 * np.eye(5)[i]
    up, down = (
      _nt_xent(embeddings * (weights + s), 0.2)[0] for s in (step, -step)
    )
    np.testing.assert_allclose(gradient[i], (up - down) / 2e-4, atol=1e-3)


def test_a_few_steps_tell_two_people_apart():
  config = face_identity_64.get_config()
  config.training.batch_size = 2
  config.optimizer.warmup_steps = 0
  config.contrast.landmark_noise = 0.0
  # Each device sees one of them, and the other one's embeddings alone.
  recipe, mesh = experiments.make_recipe(config), parallel.make_mesh(2)
  clips = [make_clip(5, person, 2, 64) for person in range(2)]
  batch = Batch(
    np.stack([frames for frames, _ in clips]),
    np.stack([points for _, points in clips]).astype(np.float32),
    np.arange(2, dtype=np.int32),
  )
  described = recipe.describe_state(2, mesh)
  zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), described)
  state = zeros.replace(params=tiny_game.random_tree(described.params))
  state = parallel.place(state, mesh, parallel.REPLICATED)
  step, look = recipe.make_step(mesh), recipe.make_preview(batch)
  before = look(state)
  placed = parallel.place(batch, mesh, parallel.SHARDED)
  for _ in range(12):
    state, metrics = step(state, placed, {})
  after = look(state)
  assert after.error < before.error - 0.1
  assert after.sheet.shape == (2 * 112, 2 * 112, 3)
  assert after.sheet.dtype == np.uint8
  assert jnp.isfinite(metrics.face_identity.nt_xent)
