"""Spectral normalisation against the singular values of numpy."""

import jax
import numpy as np
import pytest
from flax import traverse_util

from flaxheads.models import spectral


def _params(seed=0):
  rng = np.random.default_rng(seed)
  return {
    'block': {
      'conv': {
        'kernel': rng.normal(size=(3, 3, 4, 6)).astype(np.float32),
        'bias': rng.normal(size=6).astype(np.float32),
      },
      'norm': {'scale': rng.normal(size=6).astype(np.float32)},
    },
    'dense': {'kernel': rng.normal(size=(5, 8)).astype(np.float32)},
    'w0': rng.normal(size=6).astype(np.float32),
    'b': np.float32(0.3),
  }


def _sigma(kernel):
  matrix = np.asarray(kernel).reshape(-1, kernel.shape[-1])
  return np.linalg.svd(matrix, compute_uv=False)[0]


def test_the_largest_singular_value_becomes_one():
  params = _params()
  vectors = spectral.init_spectral(jax.random.key(0), params)
  vectors = spectral.power_iteration(params, vectors, 200)
  normal = spectral.normalize(params, vectors)
  for path, leaf in traverse_util.flatten_dict(normal).items():
    old = traverse_util.flatten_dict(params)[path]
    if path[-1] == 'kernel':
      assert _sigma(leaf) == pytest.approx(1, abs=1e-4)
      np.testing.assert_allclose(leaf, old / _sigma(old), atol=1e-4)
    else:
      np.testing.assert_array_equal(leaf, old)


def test_the_host_normalises_as_the_device():
  params = _params()
  vectors = spectral.init_spectral(jax.random.key(0), params)
  device = traverse_util.flatten_dict(spectral.normalize(params, vectors))
  host = traverse_util.flatten_dict(spectral.normalize_on_host(params, vectors))
  assert host.keys() == device.keys()
  for path, leaf in host.items():
    np.testing.assert_allclose(leaf, device[path], rtol=1e-5, atol=1e-7)
    assert leaf.dtype == np.float32


def test_a_network_is_followed_while_it_changes():
  # One iteration for an update is enough when the kernel moves a little.
  params = _params()
  vectors = spectral.init_spectral(jax.random.key(0), params)
  vectors = spectral.power_iteration(params, vectors, 50)
  rng = np.random.default_rng(1)
  iterate = jax.jit(spectral.power_iteration)
  for _ in range(20):
    params['dense']['kernel'] += 0.02 * rng.normal(size=(5, 8))
    vectors = iterate(params, vectors)
  normal = spectral.normalize(params, vectors)
  assert _sigma(normal['dense']['kernel']) == pytest.approx(1, abs=0.02)


def test_many_iterations_are_that_many_of_one():
  params = _params()
  vectors = spectral.init_spectral(jax.random.key(0), params)
  once = vectors
  for _ in range(3):
    once = spectral.power_iteration(params, once)
  thrice = spectral.power_iteration(params, vectors, 3)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), once, thrice
  )


def test_start_vectors_are_one_for_each_kernel_and_of_length_one():
  vectors = spectral.init_spectral(jax.random.key(0), _params())
  flat = traverse_util.flatten_dict(vectors)
  assert {path: leaf.shape for path, leaf in flat.items()} == {
    ('block', 'conv', 'u'): (6,),
    ('dense', 'u'): (8,),
  }
  for leaf in flat.values():
    assert np.linalg.norm(leaf) == pytest.approx(1, abs=1e-5)


def test_gradient_is_that_of_the_quotient():
  # Of f(K) = <C, K / sigma(K)>, by central differences with numpy's SVD.
  rng = np.random.default_rng(0)
  kernel, weights = rng.normal(size=(2, 4, 3))

  def exact(k):
    return (weights * k / np.linalg.svd(k, compute_uv=False)[0]).sum()

  params = {'kernel': kernel.astype(np.float32)}
  top = np.linalg.svd(kernel)[2][0].astype(np.float32)

  def mine(k):
    normal = spectral.normalize({'kernel': k}, {'u': top})
    return (weights * normal['kernel']).sum()

  gradient = jax.grad(mine)(params['kernel'])
  for place in np.ndindex(4, 3):
    step = np.zeros((4, 3))
    step[place] = 1e-5
    slope = (exact(kernel + step) - exact(kernel - step)) / 2e-5
    assert gradient[place] == pytest.approx(slope, abs=1e-4)


def test_no_gradient_flows_through_the_iteration():
  params = _params()
  vectors = spectral.init_spectral(jax.random.key(0), params)

  def length(params):
    new = spectral.power_iteration(params, vectors)
    return sum(leaf.sum() for leaf in jax.tree.leaves(new))

  gradient = jax.grad(length)(params)
  assert all(not np.any(leaf) for leaf in jax.tree.leaves(gradient))
