"""How D and E tell people apart, against scores written down one by one."""

import jax
import numpy as np
import pytest

from flaxheads.training import parallel, separation

BATCH, N = 4, 6
VIDEOS = np.array([3, 8, 3, 5], np.int32)  # one of them twice


def _expected(vectors, rows, w0=0.7, b=-2.0):
  """Mean of D(x_i, W_i) - D(x_i, W_j) over samples of different videos."""

  def score(i, j):
    return vectors[i] @ (rows[j] + w0) + b

  return np.mean(
    [
      score(i, i) - score(i, j)
      for i in range(BATCH)
      for j in range(BATCH)
      if VIDEOS[i] != VIDEOS[j]
    ]
  )


@pytest.mark.parametrize('num_devices', [1, 4])
def test_it_is_the_mean_difference_of_scores_over_the_batch(num_devices):
  rng = np.random.default_rng(0)
  vectors, embedding, rows = rng.normal(size=(3, BATCH, N)).astype(np.float32)
  measure = parallel.pmap(
    separation.measure,
    parallel.make_mesh(num_devices),
    in_specs=(parallel.SHARDED,) * 4,
    out_specs=parallel.REPLICATED,
  )
  found = measure(vectors, embedding, rows, VIDEOS)
  np.testing.assert_allclose(
    found.row_margin, _expected(vectors, rows), rtol=1e-4
  )
  a, b = ((x - x.mean(0)).ravel() for x in (embedding, rows))
  np.testing.assert_allclose(
    found.correlation, (a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)), 1e-4
  )
  # E that finds W up to one shift and one scale is perfectly correlated.
  found = jax.device_get(measure(vectors, 2 * rows + 1, rows, VIDEOS))
  np.testing.assert_allclose(found.correlation, 1, rtol=1e-5)
