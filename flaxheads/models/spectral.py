"""Spectral normalisation as a function of parameters (Miyato et al. 2018).

A network's convolution and linear kernels are divided by their largest
singular value before the network runs: once for each update, never for each
frame, and once for all when a model is only used. The vectors of the power
iteration are a tree of their own, one for every kernel.

Only leaves named `kernel` take part. w0 and w' are vectors: normalising them
would rescale the embedding. P is left out as well, see models/generator.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

_EPSILON = 1e-12


def _unit(x):
  return x / (jnp.linalg.norm(x) + _EPSILON)


def kernels(params):
  """The flat tree of parameters, and the paths of its kernels."""
  flat = traverse_util.flatten_dict(params)
  return flat, [path for path in flat if path[-1] == 'kernel']


def init_spectral(key: jax.Array, params) -> dict:
  """Start vectors u, one unit vector [out] for each kernel [..., in, out]."""
  flat, paths = kernels(params)
  ends = np.cumsum([flat[path].shape[-1] for path in paths])
  # Drawn at once: fifty draws compile for five times as long.
  drawn = jnp.split(jax.random.normal(key, (ends[-1],)), ends[:-1])
  vectors = {
    path[:-1] + ('u',): _unit(u) for path, u in zip(paths, drawn, strict=True)
  }
  return traverse_util.unflatten_dict(vectors)


def power_iteration(params, spectral, num_iterations: int = 1) -> dict:
  """Advances the vectors u; no gradient flows through it."""
  flat, paths = kernels(params)
  matrices = {
    path[:-1] + ('u',): jax.lax.stop_gradient(
      flat[path].reshape(-1, flat[path].shape[-1])
    )
    for path in paths
  }

  def advance(_, vectors):
    return {
      path: _unit(matrix.T @ _unit(matrix @ vectors[path]))
      for path, matrix in matrices.items()
    }

  vectors = traverse_util.flatten_dict(spectral)
  if num_iterations == 1:
    vectors = advance(0, vectors)
  else:  # a loop compiles in a fraction of the time
    vectors = jax.lax.fori_loop(0, num_iterations, advance, vectors)
  return traverse_util.unflatten_dict(vectors)


@jax.custom_vjp
def _normalized(kernel, u):
  """A kernel divided by its sigma; no gradient flows to u.

  The gradient is written out: as JAX derives it, it compiles for longer than
  the convolution that uses the kernel.
  """
  return _forward(kernel, u)[0]


def _forward(kernel, u):
  matrix = kernel.reshape(-1, kernel.shape[-1])
  v = _unit(matrix @ u)
  product = matrix.T @ v
  sigma = jnp.linalg.norm(product) + _EPSILON
  return kernel / sigma, (kernel, sigma, v, product / sigma)


def _backward(kept, cotangent):
  kernel, sigma, v, w = kept
  matrix = cotangent.reshape(-1, kernel.shape[-1])
  # The gradient of sigma is v w^T.
  share = jnp.vdot(cotangent, kernel) / sigma
  gradient = (matrix - share * v[:, None] * w) / sigma
  return gradient.reshape(kernel.shape), None


_normalized.defvjp(_forward, _backward)


def normalize(params, spectral):
  """Divides every kernel by its largest singular value; differentiable.

  sigma = |K^T v| with v = K u / |K u|, a constant. Both products are those
  of `power_iteration` from the same vectors: where a program has both, they are
  computed once.

  Args:
    params: parameters of one network.
    spectral: its vectors u, as unit vectors.

  Returns:
    Parameters of the same structure, ready for `apply`.
  """
  flat, paths = kernels(params)
  flat = dict(flat)
  vectors = traverse_util.flatten_dict(spectral)
  for path in paths:
    flat[path] = _normalized(flat[path], vectors[path[:-1] + ('u',)])
  return traverse_util.unflatten_dict(flat)


def normalize_on_host(params, spectral) -> dict:
  """`normalize` in numpy, for parameters that are then only used.

  It runs once, and as a program it would compile for seconds.

  Args:
    params: as of `normalize`.
    spectral: as of `normalize`.

  Returns:
    A tree of numpy arrays.
  """
  flat, paths = kernels(jax.device_get(params))
  flat = dict(flat)
  vectors = traverse_util.flatten_dict(jax.device_get(spectral))
  for path in paths:
    matrix = flat[path].reshape(-1, flat[path].shape[-1])
    v = matrix @ vectors[path[:-1] + ('u',)]
    v /= np.linalg.norm(v) + _EPSILON
    flat[path] = flat[path] / (np.linalg.norm(matrix.T @ v) + _EPSILON)
  return traverse_util.unflatten_dict(flat)
