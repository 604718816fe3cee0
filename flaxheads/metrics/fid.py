"""The Frechet inception distance between two sets of images."""

from typing import NamedTuple

import numpy as np
from scipy import linalg

from flaxheads.errors import UserError
from flaxheads.metrics.statistics import (
  FeatureStatistics,
  check_features,
  feature_statistics,
)


class FrechetDistance(NamedTuple):
  """A distance, and whether it can be believed.

  Attributes:
    value: the squared Frechet distance of the two Gaussians, at least 0.
    small_sample: a set has no more images than features have dimensions, so
      that its covariance is singular and the value biased upwards.
  """

  value: float
  small_sample: bool


def _root(covariance):
  """S [D, R] with S S^T = covariance, R its numerical rank."""
  values, vectors = linalg.eigh(covariance)
  floor = len(values) * np.finfo(np.float64).eps * max(values[-1], 0)
  kept = values > floor
  return vectors[:, kept] * np.sqrt(values[kept])


def trace_of_root(first, second) -> float:
  """Trace of the matrix square root of a product of covariances.

  With C1 = S1 S1^T and C2 = S2 S2^T, the eigenvalues of C1 C2 are the squares
  of the singular values of S1^T S2, whose sum is the trace. Unlike a square
  root of the product itself, this has no imaginary part and needs no offset
  where covariances are singular, and no small eigenvalue is lost by squaring.

  Args:
    first: C1, float64 [D, D], symmetric and positive semidefinite.
    second: C2, the same.

  Returns:
    tr (C1 C2)^(1/2).
  """
  product = _root(first).T @ _root(second)
  if not product.size:  # a covariance of zero
    return 0.0
  return float(linalg.svdvals(product).sum())


def frechet_distance(
  a: FeatureStatistics, b: FeatureStatistics
) -> FrechetDistance:
  """Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule".

  |m1 - m2|^2 + tr (C1 + C2 - 2 (C1 C2)^(1/2)), with unbiased covariances.
  It is the FID where the features are those of models.inception with its
  published weights.

  Args:
    a: statistics of one set.
    b: of the other.

  Returns:
    FrechetDistance.

  Raises:
    UserError: fewer than two images in a set, or other dimensions.
  """
  if a.mean.shape != b.mean.shape:
    raise UserError(
      f'features of {len(a.mean)} and {len(b.mean)} dimensions cannot be'
      ' compared'
    )
  difference = a.mean - b.mean
  value = (
    difference @ difference
    + np.trace(a.covariance)
    + np.trace(b.covariance)
    - 2 * trace_of_root(a.covariance, b.covariance)
  )
  small = min(a.count, b.count) <= len(a.mean)
  return FrechetDistance(max(float(value), 0.0), small)


def feature_distance(a, b) -> FrechetDistance:
  """`frechet_distance` of two sets of features that fit into memory.

  Of N < D features the centred matrix itself, over the root of N - 1, is a
  root of the covariance: the trace then needs no eigenvectors of [D, D], only
  the singular values of [N, M], and is the same.

  Args:
    a: features of one set, float [N, D].
    b: of the other, float [M, D].

  Returns:
    FrechetDistance.

  Raises:
    UserError: fewer than two images in a set, or other dimensions.
  """
  a, b = check_features('a', a), check_features('b', b)
  if max(len(a), len(b)) >= a.shape[1] or min(len(a), len(b)) < 2:
    return frechet_distance(feature_statistics(a), feature_statistics(b))
  if a.shape[1] != b.shape[1]:
    raise UserError(
      f'features of {a.shape[1]} and {b.shape[1]} dimensions cannot be compared'
    )
  roots = [(x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (a, b)]
  difference = a.mean(0) - b.mean(0)
  value = difference @ difference + sum(np.square(x).sum() for x in roots)
  value -= 2 * linalg.svdvals(roots[0] @ roots[1].T).sum()
  return FrechetDistance(max(float(value), 0.0), small_sample=True)
