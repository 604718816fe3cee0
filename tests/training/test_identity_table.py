"""W against a dense Adam over the whole table, on one device, two and eight."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flaxheads.training import identity_table, parallel
from flaxheads.training.identity_table import IdentityTable

SETTINGS = {'learning_rate': 0.05, 'b2': 0.99, 'epsilon': 1e-5}
NUM_ROWS, N, BATCH, NUM_UPDATES = 64, 6, 8, 120
# Rows at the ends of shards; some twice in a batch. Row 9 is visited rarely,
# row 10 for the first time at the very end.
COMMON = ((0, 63, 7, 8, 7, 31, 32, 0), (5,) * 8, (1, 2, 3, 4, 5, 6, 7, 8))
RARE = (9, 9, 7, 8, 7, 31, 32, 9)
TABLE = IdentityTable(*[parallel.SHARDED] * 3)
IN_SPECS = (TABLE, parallel.SHARDED, parallel.SHARDED, parallel.REPLICATED)


def _batches():
  batches = [COMMON[i % 3] for i in range(NUM_UPDATES)]
  for i in (3, 40, 118):
    batches[i] = RARE
  batches[-1] = (10, *COMMON[0][1:])
  return batches


@functools.cache
def _start():
  with jax.enable_x64(False):
    table = identity_table.init_table(jax.random.key(0), NUM_ROWS, N, 0.1)
  return jax.tree.map(
    lambda x: np.asarray(x, np.float64 if x.ndim == 2 else x.dtype), table
  )


def _gradients():
  rng = np.random.default_rng(0)
  return rng.normal(size=(NUM_UPDATES, BATCH, N))


@functools.cache
def _dense():
  """Rows after every update by optax's Adam over all of W, b1 = 0."""
  optimizer = optax.adam(0.05, b1=0.0, b2=0.99, eps=1e-5)
  step = jax.jit(optimizer.update)
  rows = jnp.asarray(_start().rows)
  state, results = optimizer.init(rows), []
  for indices, gradients in zip(_batches(), _gradients(), strict=True):
    dense = jnp.zeros_like(rows).at[jnp.asarray(indices)].add(gradients)
    updates, state = step(dense, state)
    rows = rows + updates
    results.append(np.asarray(rows))
  return results


def _compare_with_dense(num_devices, num_updates):
  """Asserts that lazy and dense updates agree; returns the last rows."""
  with jax.enable_x64(True):
    mesh = parallel.make_mesh(num_devices)
    update = parallel.pmap(
      functools.partial(identity_table.update, **SETTINGS),
      mesh,
      in_specs=IN_SPECS,
      out_specs=TABLE,
    )
    gather = parallel.pmap(
      identity_table.gather,
      mesh,
      in_specs=(TABLE, parallel.SHARDED),
      out_specs=parallel.SHARDED,
    )
    table = parallel.place(_start(), mesh, parallel.SHARDED)
    before = _start().rows
    given = list(zip(_batches(), _gradients(), _dense(), strict=True))
    for count, (indices, gradients, wanted) in enumerate(
      given[:num_updates], 1
    ):
      # Each device takes the gradient of its own mean.
      placed = parallel.place(
        (np.array(indices, np.int32), gradients * num_devices),
        mesh,
        parallel.SHARDED,
      )
      rows = np.asarray(gather(table, placed[0]))
      np.testing.assert_array_equal(rows, before[list(indices)])
      table = update(table, *placed, np.int32(count))
      before = np.asarray(table.rows)
      np.testing.assert_allclose(before, wanted, rtol=1e-12, atol=1e-14)
  return before


@pytest.mark.parametrize('num_devices', [1, 2, 8])
def test_the_lazy_update_is_dense_adam(num_devices):
  rows = _compare_with_dense(num_devices, NUM_UPDATES)
  others = np.arange(11, 31)
  np.testing.assert_array_equal(rows[others], _start().rows[others])


@pytest.mark.parametrize(
  'collective, without',
  [
    ('all_gather', lambda x: jnp.tile(x, (8,) + (1,) * (x.ndim - 1))),
    ('sum_scatter', lambda x: x[: x.shape[0] // 8]),
    ('count', lambda: 1),
    ('index', lambda: 0),
  ],
)
def test_without_a_collective_it_shows(monkeypatch, collective, without):
  monkeypatch.setattr(parallel, collective, without)
  with pytest.raises(AssertionError, match='Mismatched elements'):
    _compare_with_dense(8, 1)


def test_a_visit_after_a_long_absence_is_a_large_step():
  mesh = parallel.make_mesh(1)
  update = parallel.pmap(
    functools.partial(identity_table.update, **SETTINGS),
    mesh,
    in_specs=IN_SPECS,
    out_specs=TABLE,
  )
  start = identity_table.init_table(jax.random.key(0), NUM_ROWS, N, 0.1)
  gradient = np.full((1, N), 3.0, np.float32)
  index = np.array([9], np.int32)
  first = update(start, index, gradient, np.int32(1))
  moved = np.asarray(start.rows[9] - first.rows[9])
  np.testing.assert_allclose(moved, 0.05, rtol=1e-3)  # the learning rate
  late = update(first, index, gradient, np.int32(100_000))
  moved = np.asarray(first.rows[9] - late.rows[9])
  np.testing.assert_allclose(moved, 0.05 / np.sqrt(1 - 0.99), rtol=1e-3)


def test_a_new_row_begins_as_the_embedding_of_its_first_visit():
  mesh, split = parallel.make_mesh(2), parallel.SHARDED
  table = identity_table.init_table(jax.random.key(0), NUM_ROWS, N, 0.0)
  assert not np.any(table.rows)
  # Rows 9 and 40 are new, and 9 stands twice in the batch, on two devices.
  index = np.array([9, 40, 5, 9], np.int32)
  table = table.replace(rows=table.rows.at[5].set(7.0))

  def visit(table, index, embedding, gradient, count):
    begun = identity_table.begin(identity_table.gather(table, index), embedding)
    after = identity_table.update(
      table, index, gradient, count, begun=begun, **SETTINGS
    )
    return after, begun

  visit = parallel.pmap(
    visit,
    mesh,
    in_specs=(TABLE, split, split, split, parallel.REPLICATED),
    out_specs=(TABLE, split),
  )
  embedding = 1 + np.arange(4 * N, dtype=np.float32).reshape(4, N)
  given = parallel.place((index, embedding), mesh, split)
  none = parallel.place(np.zeros((4, N), np.float32), mesh, split)
  table = parallel.place(jax.device_get(table), mesh, split)
  table, begun = visit(table, *given, none, np.int32(2))
  np.testing.assert_array_equal(begun[:2], embedding[:2])
  np.testing.assert_array_equal(begun[2:], [[7] * N, embedding[3]])
  rows = np.asarray(table.rows)
  np.testing.assert_array_equal(rows[[9, 40]], embedding[:2])
  np.testing.assert_array_equal(np.delete(rows, [5, 9, 40], 0), 0)
  # Afterwards the row is its own, whatever ê has become.
  _, begun = visit(table, given[0], none, none, np.int32(3))
  np.testing.assert_array_equal(begun, rows[index])


def test_a_table_fits_any_usual_number_of_devices():
  for num_videos, wanted in ((1, 64), (64, 64), (65, 128), (145_569, 147_456)):
    shapes = jax.eval_shape(
      functools.partial(
        identity_table.init_table,
        num_videos=num_videos,
        embedding_size=4,
        initial_size=0.1,
      ),
      jax.random.key(0),
    )
    assert shapes.rows.shape == (wanted, 4)
    assert shapes.last_visit.shape == (wanted,)


@pytest.mark.parametrize('batch_size', [1, 2, 3])
def test_an_update_copies_no_table(batch_size):
  num_rows, size = 10_000, 16
  rows = jax.ShapeDtypeStruct((num_rows, size), np.float32)
  visits = jax.ShapeDtypeStruct((num_rows,), np.int32)

  def visit(table, index, gradients, count):
    begun = identity_table.begin(identity_table.gather(table, index), gradients)
    return identity_table.update(
      table, index, gradients, count, begun=begun, **SETTINGS
    )

  update = parallel.pmap(
    visit,
    parallel.make_mesh(1),
    in_specs=IN_SPECS,
    out_specs=TABLE,
    donate_argnums=(0,),
  )
  compiled = update.lower(
    IdentityTable(rows, rows, visits),
    jax.ShapeDtypeStruct((batch_size,), np.int32),
    jax.ShapeDtypeStruct((batch_size, size), np.float32),
    jax.ShapeDtypeStruct((), np.int32),
  ).compile()
  used = compiled.memory_analysis().temp_size_in_bytes
  assert used < num_rows  # the smallest leaf has four bytes a row
