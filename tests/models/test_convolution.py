"""Both forms of what is written in two, one for CPUs and one for the rest."""

import jax
import numpy as np
import pytest

from flaxheads.models import convolution


def _normal(*shape, seed=0):
  rng = np.random.default_rng([seed, *shape])
  return rng.normal(size=shape).astype(np.float32)


def _plain(x, kernel, padding, stride=1):
  pads = ((padding, padding), (padding, padding))
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    pads,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _assert_same_with_gradients(one, other, x, kernel):
  """Of two functions of x and a kernel."""
  (y, pull), (wanted, pull_wanted) = (
    jax.vjp(f, x, kernel) for f in (one, other)
  )
  np.testing.assert_allclose(y, wanted, atol=1e-5)
  cotangent = _normal(*y.shape, seed=1)
  for a, b in zip(pull(cotangent), pull_wanted(cotangent), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-5)


def test_phases_and_the_transposed_convolution_are_the_same():
  _assert_same_with_gradients(
    convolution._transposed_by_phases,
    convolution._transposed,
    _normal(2, 5, 8, 3),
    _normal(4, 4, 3, 4),
  )


KINDS = pytest.mark.parametrize(
  'size, padding, stride', [(1, 0, 1), (2, 0, 1), (3, 1, 1), (4, 1, 2)]
)


@KINDS
def test_gradients_of_convolve_are_those_of_a_plain_convolution(
  size, padding, stride
):
  _assert_same_with_gradients(
    lambda *a: convolution.convolve(*a, padding, stride),
    lambda *a: _plain(*a, padding, stride),
    _normal(2, 6, 8, 3),
    _normal(size, size, 3, 4),
  )


@KINDS
@pytest.mark.parametrize('most', [1, 10, 40, 1000])  # pixels of a block
def test_both_forms_of_the_kernel_gradient_agree(
  size, padding, stride, most, monkeypatch
):
  monkeypatch.setattr(convolution, '_BLOCK', most)
  monkeypatch.setattr(
    convolution, '_FEW', 4 * most
  )  # 4000: more than there are
  x = _normal(3, 12, 10, 3)
  shape = jax.eval_shape(
    lambda x: _plain(x, _normal(size, size, 3, 4), padding, stride), x
  ).shape
  arguments = x, _normal(*shape), size, padding, stride
  one = convolution._kernel_gradient(*arguments)
  other = convolution._kernel_gradient_on_cpu(*arguments)
  assert one.shape == other.shape == (size, size, 3, 4)
  np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize('few', [0, 1 << 20])
def test_half_precision_is_summed_in_full(few, monkeypatch):
  monkeypatch.setattr(convolution, '_FEW', few)
  x, cotangent = (np.full((1, 64, 64, 1), 1.01, np.float32) for _ in range(2))
  halves = (jax.numpy.bfloat16(a) for a in (x, cotangent))
  gradient = convolution._kernel_gradient_on_cpu(*halves, 3, 1, 1)
  assert gradient.dtype == jax.numpy.bfloat16
  exact = convolution._kernel_gradient(x, cotangent, 3, 1, 1)
  np.testing.assert_allclose(gradient, exact, rtol=0.01)
