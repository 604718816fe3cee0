"""The forms of a convolution, and of its gradients, agree."""

import functools

import jax
import numpy as np
import pytest

from flaxheads.models import convolution
from tests.models import plain

KINDS = pytest.mark.parametrize(
  'size, padding', [((1, 1), 0), ((2, 2), 0), ((1, 2), 0), ((3, 3), 1)]
)
BLOCKS = pytest.mark.parametrize('most', [1, 10, 40, 1000])  # pixels of one


@pytest.fixture
def blocks(most, monkeypatch):
  """Even few pixels are many, and a block has at most so many."""
  monkeypatch.setattr(convolution, 'SMALL', 0)
  monkeypatch.setattr(convolution, '_BLOCK', most)


@KINDS
@BLOCKS
@pytest.mark.usefixtures('blocks')
def test_gradients_of_convolve_are_those_of_a_plain_convolution(size, padding):
  x, kernel = plain.normal(2, 6, 8, 3), plain.normal(*size, 3, 4)
  (y, pull), (wanted, pull_wanted) = (
    jax.vjp(functools.partial(f, padding=padding), x, kernel)
    for f in (convolution.convolve, plain.convolve)
  )
  np.testing.assert_allclose(y, wanted, atol=1e-5)
  cotangent = plain.normal(*y.shape, seed=1)
  for a, b in zip(pull(cotangent), pull_wanted(cotangent), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-5)


@KINDS
def test_both_forms_of_a_convolution_agree(size, padding):
  x, kernel = plain.normal(3, 12, 10, 3), plain.normal(*size, 3, 4)
  one = convolution.plain(x, kernel, padding)
  other = convolution._on_cpu(x, kernel, padding)
  assert one.shape == other.shape
  np.testing.assert_allclose(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('size, padding', [((2, 2), 0), ((3, 3), 1)])
def test_a_convolution_in_half_precision_is_summed_in_full(size, padding):
  x, kernel = (
    np.full(shape, 1.01, np.float32)
    for shape in ((1, 4, 4, 300), (*size, 300, 1))
  )
  halves = (jax.numpy.bfloat16(a) for a in (x, kernel))
  y = convolution.convolve(*halves, padding)
  assert y.dtype == jax.numpy.bfloat16
  exact = convolution.plain(x, kernel, padding)
  np.testing.assert_allclose(y, exact, rtol=0.01)


@KINDS
@BLOCKS
@pytest.mark.usefixtures('blocks')
def test_both_forms_of_the_kernel_gradient_agree(size, padding):
  x, kernel = plain.normal(3, 12, 10, 3), plain.normal(*size, 3, 4)
  cotangent = plain.normal(*plain.convolve(x, kernel, padding).shape)
  one = convolution._kernel_gradient(x, cotangent, size, padding)
  other = convolution._kernel_gradient_on_cpu(x, cotangent, size, padding)
  assert one.shape == other.shape == kernel.shape
  np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize('small', [0, 1 << 20])
def test_a_kernel_gradient_in_half_precision_is_summed_in_full(
  small, monkeypatch
):
  monkeypatch.setattr(convolution, 'SMALL', small)
  x, cotangent = (np.full((1, 64, 64, 1), 1.01, np.float32) for _ in range(2))
  halves = [jax.numpy.bfloat16(a) for a in (x, cotangent)]
  gradient = convolution._kernel_gradient_on_cpu(*halves, (3, 3), 1)
  assert gradient.dtype == jax.numpy.bfloat16
  exact = convolution._kernel_gradient(x, cotangent, (3, 3), 1)
  np.testing.assert_allclose(gradient, exact, rtol=0.01)


def test_a_gradient_of_x_in_half_precision_is_summed_in_full():
  kernel = np.full((3, 3, 1, 300), 1.01, np.float32)
  cotangent = np.ones((1, 4, 4, 300), np.float32)
  halves = [jax.numpy.bfloat16(a) for a in (kernel, cotangent)]
  gradient = convolution._input_gradient(*halves, (1, 4, 4, 1), 1)
  assert gradient.dtype == jax.numpy.bfloat16
  exact = convolution._input_gradient(kernel, cotangent, (1, 4, 4, 1), 1)
  np.testing.assert_allclose(gradient, exact, rtol=0.01)
