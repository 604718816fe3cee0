"""Three logged scalars that show whether D and E tell people apart."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.training import parallel


class Separation(NamedTuple):
  """Of the global batch; see also people/embedding_margin of the preview.

  Attributes:
    row_margin: mean of D(x, y, i) - D(x, y, j) over real frames x of video i
      and the other videos j of the batch.
    correlation: of ê_i with W_i, each less its mean over the batch; 0 where
      the batch has one sample.
  """

  row_margin: jax.Array
  correlation: jax.Array


def margins(vectors, own, all_rows, different):
  """Sum and number of v_i · (w_i - w_j) over pairs (i, j).

  w0 and b cancel: this is the difference of two scores of D.

  Args:
    vectors: V(x_i, y_i), [b, N].
    own: w_i, [b, N].
    all_rows: w_j, [B, N].
    different: bool [b, B], whether i and j are different people.

  Returns:
    Two float32 scalars.
  """
  scores = vectors @ all_rows.T  # [b, B]
  margin = (vectors * own).sum(-1)[:, None] - scores
  return jnp.where(different, margin, 0).sum(), different.sum()


def _correlation(a, b):
  a, b = a - a.mean(0), b - b.mean(0)
  size = jnp.sqrt(jnp.square(a).sum() * jnp.square(b).sum())
  return (a * b).sum() / jnp.maximum(size, 1e-12)


def measure(vectors, embedding, rows, video_index) -> Separation:
  """Measures one batch, inside a mapped function.

  Args:
    vectors: V(x, y) of this device's real target frames, [b, N].
    embedding: ê, [b, N].
    rows: W_i, [b, N].
    video_index: int32 [b].
  """
  all_rows, all_index = map(parallel.all_gather, (rows, video_index))
  different = video_index[:, None] != all_index[None, :]
  total, count = parallel.mean(
    tuple(
      x.astype(vectors.dtype)
      for x in margins(vectors, rows, all_rows, different)
    )
  )
  return Separation(
    total / jnp.maximum(count, 1e-6),
    _correlation(parallel.all_gather(embedding), all_rows),
  )
