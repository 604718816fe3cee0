"""Spectral normalisation as a function of parameters (Miyato et al. 2018).

A network's convolution and linear kernels are divided by their largest
singular value before the network runs: once for each update, never for each
frame, and once for all when a model is only used. The vectors of the power
iteration are a tree of their own, one for every kernel.

Only leaves named `kernel` take part. w0 and w' are vectors: normalising them
would rescale the embedding. P is left out as well, see models/generator.py.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

_EPSILON = 1e-12


def kernels(params):
  """The flat tree of parameters, and the paths of its kernels."""
  flat = traverse_util.flatten_dict(params)
  return flat, [path for path in flat if path[-1] == 'kernel']


def _vectors(spectral, paths) -> list:
  flat = traverse_util.flatten_dict(spectral)
  return [flat[path[:-1] + ('u',)] for path in paths]


def _vector_tree(paths, vectors) -> dict:
  names = [path[:-1] + ('u',) for path in paths]
  return traverse_util.unflatten_dict(dict(zip(names, vectors, strict=True)))


def init_spectral(key: jax.Array, params) -> dict:
  """Start vectors u, one unit vector [out] for each kernel [..., in, out]."""
  flat, paths = kernels(params)
  ends = np.cumsum([flat[path].shape[-1] for path in paths])
  # Drawn at once: fifty draws compile for five times as long.
  drawn = jnp.split(jax.random.normal(key, (ends[-1],)), ends[:-1])
  return _vector_tree(paths, _divided(drawn, _lengths(drawn)))


class _Iteration(NamedTuple):
  """One power iteration of several kernels, as matrices K [a, b].

  Attributes:
    images: K u, a list of [a].
    products: K^T K u, a list of [b].
    image_lengths: |K u|, one array.
    product_lengths: |K^T K u|, one array.
  """

  images: list
  products: list
  image_lengths: jax.Array
  product_lengths: jax.Array

  @property
  def sigmas(self):
    """|K^T v| with v = K u / |K u|, one array."""
    return self.product_lengths / self.image_lengths


def _padded(vectors):
  """All vectors as rows of one array, with zeros behind the shorter ones.

  One sum along its rows compiles faster than a sum for every vector.
  """
  zeros = jnp.zeros(max(x.size for x in vectors))
  parts = [part for x in vectors for part in (x, zeros[x.size :])]
  return jnp.concatenate(parts).reshape(len(vectors), -1)


def _lengths(vectors):
  """Euclidean norms, one array."""
  return jnp.linalg.norm(_padded(vectors), axis=-1) + _EPSILON


def _matrix(kernel):
  return kernel.reshape(-1, kernel.shape[-1])


def _iterate(kernels, vectors) -> _Iteration:
  """Sums of products, which a CPU compiles faster than matrix products."""
  matrices = [_matrix(kernel) for kernel in kernels]
  images = [(k * u).sum(1) for k, u in zip(matrices, vectors, strict=True)]
  products = [
    (k * image[:, None]).sum(0)
    for k, image in zip(matrices, images, strict=True)
  ]
  return _Iteration(images, products, _lengths(images), _lengths(products))


def _divided(arrays, divisors):
  # Fifty quotients compile longer than the reciprocals at once.
  return [x * y for x, y in zip(arrays, 1 / divisors, strict=True)]


def power_iteration(params, spectral, num_iterations: int = 1) -> dict:
  """Advances the vectors u; no gradient flows through it."""
  flat, paths = kernels(params)
  matrices = [jax.lax.stop_gradient(flat[path]) for path in paths]
  vectors = _vectors(spectral, paths)

  def advance(_, vectors):
    iteration = _iterate(matrices, vectors)
    return _divided(iteration.products, iteration.product_lengths)

  if num_iterations == 1:
    vectors = advance(0, vectors)
  else:  # a loop compiles in a fraction of the time
    vectors = jax.lax.fori_loop(0, num_iterations, advance, vectors)
  return _vector_tree(paths, vectors)


@jax.custom_vjp
def _normalized(kernels, vectors):
  """Kernels divided by their sigma; no gradient flows to the vectors.

  The gradient is written out: as JAX derives it, it compiles for longer than
  the convolutions that use the kernels.
  """
  return _forward(kernels, vectors)[0]


def _forward(kernels, vectors):
  iteration = _iterate(kernels, vectors)
  return _divided(kernels, iteration.sigmas), (kernels, iteration)


def _backward(kept, cotangents):
  kernels, iteration = kept
  sigmas = iteration.sigmas
  shares = [
    _matrix(cotangent * kernel).sum(0)
    for cotangent, kernel in zip(cotangents, kernels, strict=True)
  ]
  # The gradient of sigma is v w^T with w = K^T v / |K^T v|.
  factors = _padded(shares).sum(-1) / sigmas
  factors /= iteration.image_lengths
  factors /= iteration.product_lengths
  gradients = []
  for cotangent, image, product, factor, scale in zip(
    cotangents,
    iteration.images,
    iteration.products,
    factors,
    1 / sigmas,
    strict=True,
  ):
    gradient = _matrix(cotangent) - factor * image[:, None] * product
    gradients.append((gradient * scale).reshape(cotangent.shape))
  return gradients, None


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
  normal = _normalized(
    [flat[path] for path in paths], _vectors(spectral, paths)
  )
  flat.update(zip(paths, normal, strict=True))
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
  vectors = _vectors(jax.device_get(spectral), paths)
  for path, u in zip(paths, vectors, strict=True):
    matrix = _matrix(flat[path])
    v = matrix @ u
    v /= np.linalg.norm(v) + _EPSILON
    flat[path] = flat[path] / (np.linalg.norm(matrix.T @ v) + _EPSILON)
  return traverse_util.unflatten_dict(flat)
