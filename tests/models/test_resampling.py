"""Resampling, alone and folded into convolutions, against plain definitions."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from flaxheads.models import resampling
from tests.models import plain


def _conv_then_pool(x, kernel):
  return plain.pool(plain.convolve(x, kernel))


def _upsample_then_conv(x, kernel):
  return plain.convolve(plain.upsample(x), kernel)


@pytest.mark.parametrize(
  'form, wanted, factor, size',
  [
    (resampling.conv3x3_then_pool, _conv_then_pool, 0.5, 3),
    (resampling._pooled_by_halves, _conv_then_pool, 0.5, 3),
    (resampling.pooled_by_stride, _conv_then_pool, 0.5, 3),
    (resampling.upsample_then_conv3x3, _upsample_then_conv, 2, 3),
    (resampling._upsampled_by_halves, _upsample_then_conv, 2, 3),
    (resampling.upsampled_by_dilation, _upsample_then_conv, 2, 3),
    (resampling.pool_then_conv1x1, _conv_then_pool, 0.5, 1),
    (resampling.pooled_1x1_by_stride, _conv_then_pool, 0.5, 1),
  ],
)
@pytest.mark.parametrize('height, width', [(8, 8), (4, 10)])
def test_every_form_is_the_plain_one(form, wanted, factor, size, height, width):
  x, kernel = plain.normal(2, height, width, 3), plain.normal(size, size, 3, 5)
  shape = (2, int(height * factor), int(width * factor), 5)
  cotangent = plain.normal(*shape)
  (mine, my_pull), (theirs, their_pull) = (
    jax.vjp(function, x, kernel) for function in (form, wanted)
  )
  assert mine.shape == shape
  np.testing.assert_allclose(mine, theirs, atol=1e-5)
  for one, other in zip(my_pull(cotangent), their_pull(cotangent), strict=True):
    np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-5)


def test_resampling_without_convolution():
  x = plain.normal(2, 4, 6, 3)
  for pool in (resampling.mean_pool, resampling.mean_pool_by_window):
    np.testing.assert_allclose(pool(x), plain.pool(x), atol=1e-6)
  np.testing.assert_array_equal(resampling.upsample(x), plain.upsample(x))


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
