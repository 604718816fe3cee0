"""The kernel inception distance between two sets of pictures."""

import numpy as np

from flaxheads.errors import UserError
from flaxheads.metrics.statistics import check_features

_ROWS = 512  # of a kernel matrix held at a time


def _kernel_sum(a, b) -> float:
  """Sum over all pairs of (a b / D + 1)^3, a few rows at a time."""
  return sum(
    float(np.sum((a[i : i + _ROWS] @ b.T / a.shape[1] + 1) ** 3))
    for i in range(0, len(a), _ROWS)
  )


def _kernel_sum_without_diagonal(a) -> float:
  diagonal = (np.square(a).sum(1) / a.shape[1] + 1) ** 3
  return _kernel_sum(a, a) - float(diagonal.sum())


def kernel_distance(a, b) -> float:
  """Unbiased estimate of the squared maximum mean discrepancy.

  Binkowski et al. 2018, "Demystifying MMD GANs", with the kernel
  (x y / D + 1)^3, over all pairs and not over random subsets: no chance, no
  dependence on an order. Unlike the FID it is unbiased for any number of
  pictures, and so it can be negative.

  Args:
    a: features of one set, float [N, D].
    b: of the other, float [M, D].

  Returns:
    The KID, where the features are those of models.inception with its
    published weights.

  Raises:
    UserError: fewer than two vectors, other dimensions, or numbers that are
      not finite.
  """
  a, b = check_features('a', a), check_features('b', b)
  n, m = len(a), len(b)
  if a.shape[1] != b.shape[1] or min(n, m) < 2:
    raise UserError(
      f'features {a.shape} and {b.shape} given; at least 2 vectors each, of'
      ' one number of dimensions, are needed'
    )
  within = _kernel_sum_without_diagonal(a) / (n * (n - 1))
  within += _kernel_sum_without_diagonal(b) / (m * (m - 1))
  return within - 2 * _kernel_sum(a, b) / (n * m)
