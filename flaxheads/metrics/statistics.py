"""Mean and covariance of features, in float64, one batch after another."""

from typing import NamedTuple

import numpy as np

from flaxheads.errors import UserError


class FeatureStatistics(NamedTuple):
  """What a set of feature vectors leaves for a Gaussian.

  Attributes:
    count: N, vectors seen.
    mean: float64 [D].
    scatter: float64 [D, D], the sum of outer products about the mean.
  """

  count: int
  mean: np.ndarray
  scatter: np.ndarray

  @property
  def covariance(self) -> np.ndarray:
    """The unbiased covariance: scatter / (N - 1), float64 [D, D]."""
    if self.count < 2:
      raise UserError(
        f'{self.count} images given; a covariance needs at least 2'
      )
    return self.scatter / (self.count - 1)

  def merge(self, other: 'FeatureStatistics') -> 'FeatureStatistics':
    """The statistics of both sets together (Chan, Golub and LeVeque 1979).

    Raises:
      UserError: features of another number of dimensions.
    """
    if self.mean.shape != other.mean.shape:
      raise UserError(
        f'features of {len(self.mean)} and {len(other.mean)} dimensions'
        ' cannot be put together'
      )
    count = self.count + other.count
    delta = other.mean - self.mean
    mean = self.mean + delta * (other.count / count)
    between = np.outer(delta, delta) * (self.count * other.count / count)
    return FeatureStatistics(
      count, mean, self.scatter + other.scatter + between
    )


def check_features(name: str, features) -> np.ndarray:
  """Features as float64 [N, D].

  Raises:
    UserError: another shape, none, or numbers that are not finite.
  """
  features = np.asarray(features, np.float64)
  if features.ndim != 2 or not features.size:
    raise UserError(f'{name}: shape {features.shape} given; [N, D] is needed')
  if not np.isfinite(features).all():
    raise UserError(f'{name}: hold numbers that are not finite')
  return features


def feature_statistics(features) -> FeatureStatistics:
  """Statistics of a batch; `merge` puts batches together.

  Args:
    features: float [N, D].

  Returns:
    FeatureStatistics.
  """
  features = check_features('features', features)
  mean = features.mean(0)
  centred = features - mean
  return FeatureStatistics(len(features), mean, centred.T @ centred)
