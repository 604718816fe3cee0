"""Layers against their plain definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads.models import layers
from tests.models import plain


@pytest.mark.parametrize('size', [1, 3])
@pytest.mark.parametrize('resample', [None, 'down', 'up'])
def test_conv_adds_its_bias_after_resampling(size, resample):
  x = plain.normal(1, 4, 6, 3)
  params = {'kernel': plain.normal(size, size, 3, 2), 'bias': plain.normal(2)}
  network = layers.Conv(2, size, resample)
  mine = network.apply({'params': params}, x)
  theirs = plain.upsample(x) if resample == 'up' else x
  theirs = plain.convolve(theirs, params['kernel'])
  theirs = plain.pool(theirs) if resample == 'down' else theirs
  np.testing.assert_allclose(mine, theirs + params['bias'], atol=1e-5)


def test_attention_starts_as_identity():
  x = plain.normal(1, 4, 4, 16)
  network = layers.SelfAttention()
  params = network.init(jax.random.key(0), x)
  np.testing.assert_array_equal(network.apply(params, x), x)


def test_attention_follows_its_formula():
  x = plain.normal(2, 3, 5, 16)
  params = {
    name: {
      'kernel': plain.normal(1, 1, 16, features),
      'bias': plain.normal(features),
    }
    for name, features in (('query', 2), ('key', 2), ('value', 16))
  }
  params['query']['kernel'] *= 0.1  # no overflow in the plain softmax below
  params['gate'] = np.float32(0.7)
  mine = layers.SelfAttention().apply({'params': params}, x)
  flat = x.reshape(2, 15, 16)
  query, key, value = (
    flat @ params[name]['kernel'][0, 0] + params[name]['bias']
    for name in ('query', 'key', 'value')
  )
  scores = np.exp(query @ key.transpose(0, 2, 1))  # [B, query, key]
  weights = scores / scores.sum(-1, keepdims=True)
  theirs = x + 0.7 * (weights @ value).reshape(x.shape)
  np.testing.assert_allclose(mine, theirs, atol=1e-4)


@pytest.mark.parametrize(
  'dtype, tolerance', [(jnp.float32, 1e-6), (jnp.bfloat16, 0.01)]
)
def test_softmax_and_its_gradient(dtype, tolerance):
  scores, cotangent = 3 * plain.normal(2, 5, 7), plain.normal(2, 5, 7, seed=1)
  mine, pull = jax.vjp(lambda x: layers.softmax(x, dtype), scores)
  theirs, pull_theirs = jax.vjp(jax.nn.softmax, scores)
  assert mine.dtype == dtype
  np.testing.assert_allclose(mine.astype('f'), theirs, atol=tolerance)
  (mine,), (theirs,) = pull(cotangent.astype(dtype)), pull_theirs(cotangent)
  assert mine.dtype == jnp.float32
  np.testing.assert_allclose(mine, theirs, atol=tolerance)


@pytest.mark.parametrize('offset', [0, 30])
@pytest.mark.parametrize('per_sample', [False, True])
def test_instance_norm_follows_its_formula(per_sample, offset):
  x = 3 * plain.normal(2, 5, 4, 3) + offset
  shape = (2, 3) if per_sample else (3,)
  scale, shift = plain.normal(*shape, seed=1), plain.normal(*shape, seed=2)
  mine = layers.instance_norm(x, scale, shift)
  mean, std = x.mean((1, 2), keepdims=True), x.std((1, 2), keepdims=True)
  spread = (slice(None), None, None) if per_sample else ()
  theirs = (x - mean) / np.sqrt(std**2 + 1e-5) * scale[spread] + shift[spread]
  np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_instance_norm_of_half_precision_has_exact_statistics():
  x = (4 + 2 * plain.normal(1, 64, 64, 2)).astype(jnp.bfloat16)
  y = layers.instance_norm(x, jnp.ones(2), jnp.zeros(2))
  assert y.dtype == jnp.bfloat16
  y = np.asarray(y, np.float32)
  np.testing.assert_allclose(y.mean((1, 2)), np.zeros((1, 2)), atol=0.02)
  np.testing.assert_allclose(y.std((1, 2)), np.ones((1, 2)), atol=0.02)


@pytest.mark.parametrize(
  'resample, features, has_skip',
  [(None, 4, False), (None, 6, True), ('down', 4, True), ('up', 4, True)],
)
def test_residual_block_follows_its_order(resample, features, has_skip):
  x = plain.normal(1, 4, 4, 4)
  calls = []

  def norm(name):
    return lambda y: calls.append((name, y.shape)) or y + 1

  block = layers.ResidualBlock(features, resample, (norm('a'), norm('b')))
  shapes = jax.eval_shape(block.init, jax.random.key(0), x)['params']
  assert ('skip' in shapes) == has_skip
  params = jax.tree.map(lambda leaf: plain.normal(*leaf.shape), shapes)
  calls.clear()
  mine = block.apply({'params': params}, x)
  middle = 8 if resample == 'up' else 4
  assert calls == [('a', x.shape), ('b', (1, middle, middle, features))]

  def conv(y, name, before=None, after=None):
    kernel, bias = params[name]['kernel'], params[name]['bias']
    y = plain.upsample(y) if before == 'up' else y
    y = plain.convolve(y, kernel)
    return (plain.pool(y) if after == 'down' else y) + bias

  y = conv(np.maximum(x + 1, 0), 'Conv_0', before=resample)
  y = conv(np.maximum(y + 1, 0), 'Conv_1', after=resample)
  skip = conv(x, 'skip', resample, resample) if has_skip else x
  np.testing.assert_allclose(mine, skip + y, atol=1e-4)
