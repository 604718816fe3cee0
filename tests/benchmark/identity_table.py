"""The update of W alone, for tables of several sizes."""

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.training import identity_table, parallel
from flaxheads.training.state import STATE_SPECS
from tests.benchmark import clock
from tests.benchmark.sizes import Size

NUM_VIDEOS = (1_000, 145_569, 1_000_000)


def ours(size: Size, num_videos: int) -> clock.Program:
  """One update of the rows of a batch.

  Args:
    size: its batch and embedding size.
    num_videos: rows of W.
  """
  config, mesh = size.experiment, parallel.make_mesh(1)
  width, batch = config.model.embedding_size, config.training.batch_size
  table = parallel.build(
    lambda: identity_table.init_table(
      jax.random.key(0), num_videos, width, 0.1
    ),
    mesh,
    STATE_SPECS.table,
  )
  index = (np.arange(batch) % num_videos).astype(np.int32)
  rest = parallel.place(
    (index, np.ones((batch, width), np.float32)), mesh, parallel.SHARDED
  )

  def update(table, index, gradient):
    table = identity_table.update(
      table,
      index,
      gradient,
      jnp.int32(1),
      learning_rate=1e-4,
      b2=config.optimizer.b2,
      epsilon=config.optimizer.epsilon,
    )
    return table, table.rows[0, 0]

  program = parallel.pmap(
    update,
    mesh,
    in_specs=(STATE_SPECS.table, parallel.SHARDED, parallel.SHARDED),
    out_specs=(STATE_SPECS.table, parallel.REPLICATED),
    donate_argnums=(0,),
  )
  compiled, cost = clock.compile_program(program, (table, *rest))
  name = f'{num_videos:,} videos'
  return clock.Program(name, clock.hold(compiled, table, *rest), cost)
