"""E, G and D: sizes, counts, and what their outputs are made of."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from scipy import stats

from flaxheads import networks as nets
from flaxheads.config import ModelConfig
from flaxheads.data.pixels import to_float
from flaxheads.landmarks.rasterise import rasterise_landmarks
from flaxheads.models import sizes
from tests import tiny_game


def _shapes(config):
  networks = nets.build_networks(config)
  return jax.eval_shape(lambda: nets.init_params(networks, jax.random.key(0)))


def _count(tree):
  return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def test_the_paper_s_networks_have_their_numbers_of_parameters():
  # Counted; the paper says 15, 38 and 20 million. W is not part of D's.
  params = _shapes(ModelConfig())
  assert _count(params['embedder']) == 14_907_265
  assert _count(params['generator']) == 37_966_949
  assert _count(params['generator']['projection']) == 6_829_056
  assert _count(params['discriminator']) == 19_890_050


def test_kernels_begin_as_lecun_s_truncated_normal():
  model = tiny_game.make_config().model
  networks = nets.build_networks(dataclasses.replace(model, image_size=64))
  params = jax.jit(lambda: nets.init_params(networks, jax.random.key(0)))()
  flat = traverse_util.flatten_dict(params)
  kernels = {path: leaf for path, leaf in flat.items() if path[-1] == 'kernel'}
  assert len(kernels) > 50
  drawn = np.concatenate(
    [
      (kernel * np.sqrt(np.prod(kernel.shape[:-1]))).ravel()
      for kernel in kernels.values()
    ]
  )
  reference = nn.initializers.lecun_normal()(
    jax.random.key(1), (1, len(drawn))
  ).ravel()
  assert stats.ks_2samp(drawn, reference).pvalue > 1e-3
  assert len(np.unique(drawn)) > 0.99 * len(drawn)  # no two kernels alike


def test_channels_are_the_ladder_of_the_paper():
  down = sizes.down_sizes(256, 4)
  assert down == (128, 64, 32, 16, 8, 4)
  channels = [sizes.channels_at(size, 256, 64, 512) for size in down]
  assert channels == [64, 128, 256, 512, 512, 512]
  assert sizes.up_sizes(256, 16) == (32, 64, 128, 256)
  up = [sizes.channels_at(size, 256, 64, 512) for size in (32, 64, 128, 256)]
  assert up == [256, 128, 64, 64]
  assert sizes.attention_down_size(256) == 32
  assert sizes.attention_up_size(256, 16) == 64
  assert sizes.attention_up_size(64, 16) == 32


@pytest.mark.parametrize('image_size', [64, 128, 256, 512])
def test_every_size_fits_together(image_size):
  config = ModelConfig(
    image_size=image_size,
    base_channels=8,
    max_channels=32,
    embedding_size=24,
    num_residual_blocks=1,
    bottleneck_size=8,
    dtype='float32',
  )
  networks = nets.build_networks(config)
  params = _shapes(config)
  image = jax.ShapeDtypeStruct((2, image_size, image_size, 3), jnp.float32)
  vector = jax.ShapeDtypeStruct((2, 24), jnp.float32)

  def run(params, image, vector):
    many = image[:, None]
    return (
      nets.embed_people(networks, params['embedder'], many, many),
      nets.generate(networks, params['generator'], image, embedding=vector),
      nets.discriminate(
        networks, params['discriminator'], image, image, vector
      ),
    )

  embedding, picture, output = jax.eval_shape(run, params, image, vector)
  assert embedding.shape == (2, 24)
  assert picture.shape == (2, image_size, image_size, 3)
  assert output.score.shape == (2,)
  last = [*sizes.down_sizes(image_size, 4), 4]
  assert [feature.shape[1] for feature in output.features] == last
  assert output.features[-1].shape == (2, 4, 4, 24)
  for name in ('embedder', 'generator'):
    assert sum('SelfAttention' in key for key in _keys(params[name])) == (
      1 if name == 'embedder' else 2
    )


def _keys(tree):
  for key, value in tree.items():
    yield key
    if isinstance(value, dict) and not key.startswith('SelfAttention'):
      yield from _keys(value)


@pytest.fixture(scope='module')
def config():
  return tiny_game.make_config()


@pytest.fixture(scope='module')
def params(config):
  return tiny_game.make_params(config)


def _run(config, params):
  """E, G and D of the same two faces, all in one program."""
  networks = nets.build_networks(config.model)
  frames, points = tiny_game.make_faces(2)
  rng = np.random.default_rng(0)
  rows = rng.normal(size=(2, config.model.embedding_size)).astype(np.float32)

  @jax.jit
  def run(params, frames, points, rows):
    x, y = to_float(frames), rasterise_landmarks(points, tiny_game.SIZE)
    one = nets.embed_people(networks, params['embedder'], x[None], y[None])
    each = nets.embed_people(
      networks, params['embedder'], x[:, None], y[:, None]
    )
    psi = nets.project(params['generator'], one)
    d = params['discriminator']
    return {
      'one': one,
      'each': each,
      'projected': nets.generate(
        networks, params['generator'], y[:1], embedding=one
      ),
      'styled': nets.generate(networks, params['generator'], y[:1], psi),
      'output': nets.discriminate(networks, d, x, y, rows),
      'bare': nets.discriminate(networks, d, x, y, rows, add_w0=False),
    }

  return rows, jax.device_get(run(params, frames, points, rows))


@pytest.fixture(scope='module')
def outputs(config, params):
  return _run(config, params)


def test_a_person_is_the_mean_of_the_frames(outputs):
  _, found = outputs
  np.testing.assert_allclose(found['one'][0], found['each'].mean(0), rtol=1e-5)
  assert (found['each'] >= 0).all()
  assert found['each'].max() > 1  # summed over 16 places


def test_projection_gives_the_adain_parameters(outputs):
  _, found = outputs
  np.testing.assert_allclose(found['projected'], found['styled'], atol=1e-5)
  assert np.abs(found['styled']).max() <= 1
  assert found['styled'].std() > 0.01


def test_score_is_the_projection(outputs, params):
  rows, found = outputs
  d = params['discriminator']
  v = np.maximum(found['output'].features[-1].sum((1, 2)), 0)
  score = (v * (rows + d['w0'])).sum(-1) + d['b']
  np.testing.assert_allclose(found['output'].score, score, rtol=1e-4)
  bare = (v * rows).sum(-1) + d['b']
  np.testing.assert_allclose(found['bare'].score, bare, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_close_to_float32(config, params, outputs):
  half = dataclasses.replace(
    config, model=dataclasses.replace(config.model, dtype='bfloat16')
  )
  _, mine = _run(half, params)
  _, wanted = outputs
  for name in ('one', 'styled'):
    assert mine[name].dtype == np.float32
    error = np.abs(mine[name] - wanted[name]).mean()
    assert error < 0.03 * np.abs(wanted[name]).mean(), name
  assert mine['output'].score.dtype == np.float32
  np.testing.assert_allclose(
    mine['output'].score, wanted['output'].score, rtol=0.05, atol=0.3
  )
  assert mine['output'].features[0].dtype == jnp.bfloat16
