"""Resampling, alone and folded into convolutions, against plain definitions."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from flaxheads.models import resampling


def _normal(*shape, seed=0):
  rng = np.random.default_rng([seed, *shape])
  return rng.normal(size=shape).astype(np.float32)


def _plain_conv(x, kernel):
  return jax.lax.conv_general_dilated(
    x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )


def _plain_pool(x):
  parts = [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
  return sum(parts) / 4


def _plain_upsample(x):
  return x.repeat(2, axis=1).repeat(2, axis=2)


def _conv_then_pool(x, kernel):
  return _plain_pool(_plain_conv(x, kernel))


def _upsample_then_conv(x, kernel):
  return _plain_conv(_plain_upsample(x), kernel)


@pytest.mark.parametrize(
  'form, plain, factor',
  [
    (resampling.conv3x3_then_pool, _conv_then_pool, 0.5),
    (resampling._pooled_by_halves, _conv_then_pool, 0.5),
    (resampling.pooled_by_stride, _conv_then_pool, 0.5),
    (resampling.upsample_then_conv3x3, _upsample_then_conv, 2),
    (resampling._upsampled_by_halves, _upsample_then_conv, 2),
    (resampling.upsampled_by_dilation, _upsample_then_conv, 2),
  ],
)
@pytest.mark.parametrize('height, width', [(8, 8), (4, 10)])
def test_every_form_is_the_plain_one(form, plain, factor, height, width):
  x, kernel = _normal(2, height, width, 3), _normal(3, 3, 3, 5)
  shape = (2, int(height * factor), int(width * factor), 5)
  cotangent = _normal(*shape)
  (mine, my_pull), (theirs, their_pull) = (
    jax.vjp(function, x, kernel) for function in (form, plain)
  )
  assert mine.shape == shape
  np.testing.assert_allclose(mine, theirs, atol=1e-5)
  for one, other in zip(my_pull(cotangent), their_pull(cotangent), strict=True):
    np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-5)


def test_resampling_without_convolution():
  x = _normal(2, 4, 6, 3)
  np.testing.assert_allclose(resampling.mean_pool(x), _plain_pool(x), atol=1e-6)
  np.testing.assert_array_equal(resampling.upsample(x), _plain_upsample(x))


@pytest.mark.parametrize('shape', [(2, 6, 8, 3), (1, 7, 5, 2)])
def test_max_pool_and_its_gradient_are_those_of_pooling(shape):
  # few different numbers: the gradient of equal ones goes to the first
  x = np.random.default_rng(0).integers(0, 3, shape).astype(np.float32)
  pools = resampling.max_pool, lambda x: nn.max_pool(x, (2, 2), (2, 2))
  (mine, pull), (theirs, pull_theirs) = (jax.vjp(pool, x) for pool in pools)
  np.testing.assert_array_equal(mine, theirs)
  cotangent = np.random.default_rng(1).normal(size=mine.shape)
  cotangent = cotangent.astype(np.float32)
  np.testing.assert_array_equal(pull(cotangent)[0], pull_theirs(cotangent)[0])
