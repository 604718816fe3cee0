"""Both forms of what is written in two, one for CPUs and one for the rest."""

import jax
import numpy as np
import pytest

from flaxheads.models import convolution


def _normal(*shape, seed=0):
  rng = np.random.default_rng([seed, *shape])
  return rng.normal(size=shape).astype(np.float32)


def _plain(x, kernel, padding):
  pads = ((padding, padding), (padding, padding))
  return jax.lax.conv_general_dilated(
    x, kernel, (1, 1), pads, dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )


def test_phases_and_the_transposed_convolution_are_the_same():
  x, kernel = _normal(2, 5, 8, 3), _normal(3, 3, 3, 4)
  cotangent = _normal(2, 10, 16, 4)
  (one, pull_one), (other, pull_other) = (
    jax.vjp(function, x, kernel)
    for function in (
      convolution._upsample_by_phases,
      convolution._upsample_transposed,
    )
  )
  np.testing.assert_allclose(one, other, atol=1e-5)
  for a, b in zip(pull_one(cotangent), pull_other(cotangent), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize('size, padding', [(1, 0), (2, 0), (3, 1)])
def test_gradients_of_convolve_are_those_of_a_plain_convolution(size, padding):
  x, kernel = _normal(2, 6, 5, 3), _normal(size, size, 3, 4)
  mine, pull = jax.vjp(lambda *a: convolution.convolve(*a, padding), x, kernel)
  theirs, pull_plain = jax.vjp(lambda *a: _plain(*a, padding), x, kernel)
  np.testing.assert_array_equal(mine, theirs)
  cotangent = _normal(*mine.shape, seed=1)
  for a, b in zip(pull(cotangent), pull_plain(cotangent), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize('size, padding', [(1, 0), (2, 0), (3, 1)])
def test_both_forms_of_the_kernel_gradient_agree(size, padding):
  x = _normal(2, 6, 5, 3)
  height, width = (s + 2 * padding - size + 1 for s in x.shape[1:3])
  cotangent = _normal(2, height, width, 4)
  one = convolution._kernel_gradient(x, cotangent, size, padding)
  other = convolution._kernel_gradient_by_products(x, cotangent, size, padding)
  assert one.shape == other.shape == (size, size, 3, 4)
  np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-5)
