"""The kernel inception distance between two sets of images."""

from collections.abc import Sequence
from typing import NamedTuple

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
  images, and so it can be negative.

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


class KernelSums(NamedTuple):
  """What the KID keeps of two sets whose images come in P groups, say people.

  Attributes:
    within_a: float64 [P, P], sums of the kernel over pairs of images of the
      first set, without those of an image with itself.
    within_b: the same of the second set.
    between: float64 [P, P], over pairs of both sets.
    sizes_a: int [P], images of each group in the first set.
    sizes_b: in the second.
  """

  within_a: np.ndarray
  within_b: np.ndarray
  between: np.ndarray
  sizes_a: np.ndarray
  sizes_b: np.ndarray


def _group_sums(a, b, sizes_a, sizes_b):
  starts = np.concatenate([[0], np.cumsum(sizes_b)[:-1]])
  sums, row = np.zeros((len(sizes_a), len(sizes_b))), 0
  for group, size in enumerate(sizes_a):
    kernel = (a[row : row + size] @ b.T / a.shape[1] + 1) ** 3
    sums[group] = np.add.reduceat(kernel.sum(0), starts)
    row += size
  return sums


def kernel_sums(a: Sequence[np.ndarray], b: Sequence[np.ndarray]) -> KernelSums:
  """Sums of the kernel of `kernel_distance` for each pair of groups.

  Args:
    a: features of each group in the first set, float [N_p, D], N_p >= 1.
    b: of the same groups in the second.

  Returns:
    KernelSums.

  Raises:
    UserError: no group, another number of groups or dimensions, an empty
      group, or numbers that are not finite.
  """
  if not a or len(a) != len(b):
    raise UserError(f'{len(a)} and {len(b)} groups of features; as many needed')
  a = [check_features('a', x) for x in a]
  b = [check_features('b', x) for x in b]
  if len({x.shape[1] for x in (*a, *b)}) > 1:
    raise UserError('features of groups differ in their number of dimensions')
  sizes_a, sizes_b = (np.array([len(x) for x in each]) for each in (a, b))
  a, b = np.concatenate(a), np.concatenate(b)
  sums = []
  for x, sizes in ((a, sizes_a), (b, sizes_b)):
    same = (np.square(x).sum(1) / x.shape[1] + 1) ** 3
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    diagonal = np.diag(np.add.reduceat(same, starts))
    sums.append(_group_sums(x, x, sizes, sizes) - diagonal)
  between = _group_sums(a, b, sizes_a, sizes_b)
  return KernelSums(*sums, between, sizes_a, sizes_b)


def resampled_kernel_distance(sums: KernelSums, counts) -> np.ndarray:
  """The KID where each group counts as often as it was sampled.

  An image is never compared with itself, however often its group was sampled:
  such pairs would push the KID of every resample upwards.

  Args:
    sums: of `kernel_sums`.
    counts: int [R, P], how often each group is in each of R resamples; ones
      for the sets as they are.

  Returns:
    float64 [R]; NaN where a resample has no two images.
  """
  counts = np.asarray(counts, np.float64)

  def average(within, sizes):
    pairs = np.square(counts @ sizes) - np.square(counts) @ sizes
    total = np.einsum('rp,pq,rq->r', counts, within, counts, optimize=True)
    return np.divide(
      total, pairs, np.full(len(counts), np.nan), where=pairs > 0
    )

  cross = np.einsum('rp,pq,rq->r', counts, sums.between, counts, optimize=True)
  cross = cross / (counts @ sums.sizes_a * (counts @ sums.sizes_b))
  within = average(sums.within_a, sums.sizes_a)
  return within + average(sums.within_b, sums.sizes_b) - 2 * cross
