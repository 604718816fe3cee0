"""W against a dense Adam in numpy, on one device, two and eight."""

import functools

import jax
import numpy as np
import pytest

from flaxheads.training import identity_table, parallel
from flaxheads.training.identity_table import IdentityTable

SETTINGS = {'learning_rate': 0.05, 'b1': 0.9, 'b2': 0.99, 'epsilon': 1e-5}
NUM_ROWS, N, BATCH = 64, 6, 8
# Rows at the ends of shards; some twice in a batch, some in several batches.
BATCHES = (
  (0, 63, 7, 8, 7, 31, 32, 0),
  (5, 5, 5, 5, 5, 5, 5, 5),
  (1, 2, 3, 4, 5, 6, 7, 8),
)


def _start():
  table = identity_table.init_table(jax.random.key(0), NUM_ROWS, N)
  return jax.tree.map(np.asarray, table)


def _gradients():
  rng = np.random.default_rng(0)
  return rng.normal(size=(len(BATCHES), BATCH, N)).astype(np.float32)


@functools.cache
def _programs(num_devices):
  mesh = parallel.make_mesh(num_devices)
  table = IdentityTable(*[parallel.SHARDED] * 4)
  split = parallel.SHARDED
  update = parallel.pmap(
    functools.partial(identity_table.update, **SETTINGS),
    mesh,
    in_specs=(table, split, split),
    out_specs=table,
  )
  gather = parallel.pmap(
    identity_table.gather, mesh, in_specs=(table, split), out_specs=split
  )
  return mesh, gather, update


def _run(num_devices):
  """The table after every batch, and the rows gathered before it."""
  mesh, gather, update = _programs(num_devices)
  table = parallel.place(_start(), mesh, parallel.SHARDED)
  tables, gathered = [], []
  for indices, gradients in zip(BATCHES, _gradients(), strict=True):
    # Each device takes the gradient of its own mean.
    given = (np.array(indices, np.int32), gradients * num_devices)
    given = parallel.place(given, mesh, parallel.SHARDED)
    gathered.append(np.asarray(gather(table, given[0])))
    table = update(table, *given)
    tables.append(jax.tree.map(np.asarray, table))
  return tables, gathered


def _dense():
  """What a loop over videos does, in float64."""
  table = _start()
  rows, first, second = (
    np.array(leaf, np.float64)
    for leaf in (table.rows, table.first_moment, table.second_moment)
  )
  updates = np.zeros(NUM_ROWS, int)
  b1, b2 = SETTINGS['b1'], SETTINGS['b2']
  results = []
  for indices, gradients in zip(BATCHES, _gradients(), strict=True):
    for row in set(indices):
      gradient = gradients[np.array(indices) == row].astype(float).sum(0)
      updates[row] += 1
      first[row] = b1 * first[row] + (1 - b1) * gradient
      second[row] = b2 * second[row] + (1 - b2) * gradient**2
      top = first[row] / (1 - b1 ** updates[row])
      root = np.sqrt(second[row] / (1 - b2 ** updates[row]))
      rows[row] -= SETTINGS['learning_rate'] * top / (root + 1e-5)
    copies = (rows.copy(), first.copy(), second.copy(), updates.copy())
    results.append(IdentityTable(*copies))
  return results


@pytest.mark.parametrize('num_devices', [1, 2, 8])
def test_updates_are_those_of_adam_on_the_rows_of_the_batch(num_devices):
  tables, gathered = _run(num_devices)
  before = _start()
  for table, wanted, indices, rows in zip(
    tables, _dense(), BATCHES, gathered, strict=True
  ):
    np.testing.assert_array_equal(rows, before.rows[list(indices)])
    jax.tree.map(
      lambda mine, theirs: np.testing.assert_allclose(
        mine, theirs, atol=2e-5, rtol=2e-5
      ),
      table,
      wanted,
    )
    untouched = np.setdiff1d(np.arange(NUM_ROWS), indices)
    jax.tree.map(
      lambda new, old, untouched=untouched: np.testing.assert_array_equal(
        new[untouched], old[untouched]
      ),
      table,
      before,
    )
    before = table


def test_a_table_fits_any_usual_number_of_devices():
  for num_videos, wanted in ((1, 64), (64, 64), (65, 128), (145_569, 147_456)):
    shapes = jax.eval_shape(
      functools.partial(
        identity_table.init_table, num_videos=num_videos, embedding_size=4
      ),
      jax.random.key(0),
    )
    assert shapes.rows.shape == (wanted, 4)
    assert shapes.updates.shape == (wanted,)


def test_without_momentum_the_first_update_is_the_sign():
  # b1 = 0, as in the authors' lab code: g / (|g| + epsilon).
  mesh = parallel.make_mesh(1)
  table = IdentityTable(*[parallel.SHARDED] * 4)
  update = parallel.pmap(
    functools.partial(identity_table.update, **{**SETTINGS, 'b1': 0.0}),
    mesh,
    in_specs=(table, parallel.SHARDED, parallel.SHARDED),
    out_specs=table,
  )
  start = _start()
  gradient = np.array([[1e3, -1e3, 1, -1, 1e-2, 0]], np.float32)
  rows = update(start, np.array([9], np.int32), gradient).rows
  moved = (np.asarray(rows[9]) - start.rows[9]) / SETTINGS['learning_rate']
  np.testing.assert_allclose(moved, [-1, 1, -1, 1, -0.999, 0], atol=1e-4)


@pytest.mark.parametrize('batch_size', [1, 2, 3])
def test_an_update_copies_no_table(batch_size):
  num_rows, size = 10_000, 16
  rows = jax.ShapeDtypeStruct((num_rows, size), np.float32)
  updates = jax.ShapeDtypeStruct((num_rows,), np.int32)
  table, split = IdentityTable(*[parallel.SHARDED] * 4), parallel.SHARDED
  update = parallel.pmap(
    functools.partial(identity_table.update, **SETTINGS),
    parallel.make_mesh(1),
    in_specs=(table, split, split),
    out_specs=table,
    donate_argnums=(0,),
  )
  compiled = update.lower(
    IdentityTable(rows, rows, rows, updates),
    jax.ShapeDtypeStruct((batch_size,), np.int32),
    jax.ShapeDtypeStruct((batch_size, size), np.float32),
  ).compile()
  used = compiled.memory_analysis().temp_size_in_bytes
  assert used < num_rows  # the smallest leaf has four bytes a row
