"""Gradients of a batch from passes over its parts, to save memory."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def accumulate(function: Callable, batch, num_parts: int):
  """Runs `function` on parts of a batch, one after the other.

  The networks normalise every image by itself, so that the parts together
  give what the whole batch gives, up to rounding.

  Args:
    function: a part of the batch -> (averaged, stacked), two trees: means
      over its samples, and arrays with a sample in front.
    batch: a tree of arrays [b, ...]; b is a multiple of `num_parts`.
    num_parts: 1 calls `function` once and adds nothing to the program.

  Returns:
    (averaged, stacked) of the whole batch.
  """
  if num_parts == 1:
    return function(batch)

  def split(x):
    return x.reshape(num_parts, -1, *x.shape[1:])

  def merge(x):
    return x.reshape(-1, *x.shape[2:])

  parts = jax.tree.map(split, batch)
  like, _ = jax.eval_shape(function, jax.tree.map(lambda x: x[0], parts))
  start = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)

  def add(total, part):
    averaged, stacked = function(part)
    return jax.tree.map(jnp.add, total, averaged), stacked

  total, stacked = jax.lax.scan(add, start, parts)
  averaged = jax.tree.map(lambda leaf: leaf / num_parts, total)
  return averaged, jax.tree.map(merge, stacked)
