"""W: one row for every training video, sharded over devices.

Row i lives on device i // rows_per_device. A step gathers the rows of its
batch and updates those rows alone, so that its cost does not depend on the
number of videos. The update is that of dense Adam with beta1 = 0 over all of
W: there a row without a gradient does not move, but its second moment decays
at every update, and the bias correction follows the count of all updates. A
visit after a long absence moves a row by up to lr / sqrt(1 - beta2).
"""

from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp

from flaxheads.training import parallel

# The table is padded so that it splits over any power of two of devices up to
# these, on which a run may resume; of small tables that costs little, too.
_FEW, _MANY = 64, 4096


@flax.struct.dataclass
class IdentityTable:
  """W and the state of its optimiser; every leaf has the rows in front.

  Attributes:
    rows: float32 [R, N].
    second_moment: float32 [R, N], as of each row's last visit.
    last_visit: int32 [R], the update of W that touched the row last, counted
      from 1; 0 before the first.
  """

  rows: jax.Array
  second_moment: jax.Array
  last_visit: jax.Array


def num_rows(num_videos: int) -> int:
  """Rows of the table of `num_videos`: a multiple of 64, or of 4,096."""
  multiple = _MANY if num_videos > 16 * _MANY else _FEW
  return -(-num_videos // multiple) * multiple


def init_table(
  key: jax.Array, num_videos: int, embedding_size: int, initial_size: float
) -> IdentityTable:
  """A table of `num_videos` rows, padded to `num_rows(num_videos)`.

  Args:
    key: of the rows.
    num_videos: videos of the training split.
    embedding_size: N.
    initial_size: rows are uniform in [0, this]; 0: zeros, until `begin`.

  Random rows are not negative, so that ê, which ends in a ReLU, can reach them.
  With rows about zero, L_MCH would pull every unit of ê to their median, 0. A
  unit whose input is negative for all people has no gradient and would stay 0.
  """
  count = num_rows(num_videos)
  shape = (count, embedding_size)
  rows = initial_size * jax.random.uniform(key, shape)
  return IdentityTable(rows, jnp.zeros(shape), jnp.zeros((count,), jnp.int32))


def centred(discriminator: dict, mean) -> dict:
  """D's parameters with W_i + w0 centred at zero.

  Were all of W_i + w0 positive, D could lower a score by V(x, y) = 0 alone, at
  which its ReLU has no gradient.

  Args:
    discriminator: parameters.
    mean: of the rows, a number or [N]; half of `initial_size` for random ones.
  """
  return {**discriminator, 'w0': discriminator['w0'] - mean}


def _local_indices(table, global_indices):
  """Where rows lie on this device; one past the end where they do not."""
  rows_per_device = table.rows.shape[0]
  local = global_indices - parallel.index() * rows_per_device
  mine = (local >= 0) & (local < rows_per_device)
  return jnp.where(mine, local, rows_per_device)


def gather(table: IdentityTable, video_index: jax.Array) -> jax.Array:
  """Rows of this device's videos: int32 [b] -> float32 [b, N].

  Inside a mapped function; `table` is this device's part.
  """
  local = _local_indices(table, parallel.all_gather(video_index))  # [B]
  found = table.rows.at[local].get(mode='fill', fill_value=0)  # [B, N]
  return parallel.sum_scatter(found)


def begin(rows: jax.Array, embedding: jax.Array) -> jax.Array:
  """W_i, [b, N], where a row of zeros is the ê_i of its first visit.

  L_MCH is then 0 at the first visit, and never asks E for random codes: W
  begins as what E sees of a person, and from there D moves it.

  Args:
    rows: of `gather`, [b, N].
    embedding: ê_i, [b, N].
  """
  new = (rows == 0).all(-1, keepdims=True)
  return jnp.where(new, jax.lax.stop_gradient(embedding), rows)


class AllRows(NamedTuple):
  """The rows of the global batch.

  Attributes:
    rows: W_j, float32 [B, N]; zeros where they are still to begin.
    video_index: int32 [B].
  """

  rows: jax.Array
  video_index: jax.Array

  def are_others(self, video_index: jax.Array) -> jax.Array:
    """Whether j has begun and is not i: int32 [b] -> bool [b, B]."""
    begun = (self.rows != 0).any(-1)
    return (video_index[:, None] != self.video_index) & begun


def gather_all(rows: jax.Array, video_index: jax.Array) -> AllRows:
  """What `gather` gave on all devices, to all; no gradient into W_j."""
  rows = jax.lax.stop_gradient(rows)
  return AllRows(parallel.all_gather(rows), parallel.all_gather(video_index))


def update(
  table: IdentityTable,
  video_index: jax.Array,
  gradients: jax.Array,
  count: jax.Array,
  *,
  learning_rate,
  b2: float,
  epsilon: float,
  begun: jax.Array | None = None,
) -> IdentityTable:
  """One update of the rows in the global batch.

  Args:
    table: this device's part.
    video_index: int32 [b], this device's videos; duplicates are summed.
    gradients: float32 [b, N], of this device's mean loss.
    count: int32 scalar, which update of W this is, from 1.
    learning_rate: scalar.
    b2: decay of the second moment.
    epsilon: added to the root of the second moment.
    begun: float32 [b, N], of `begin`: where rows lie before their first update.
      None: where the table has them.

  Returns:
    The table with the touched rows changed.
  """
  indices = parallel.all_gather(video_index)  # [B]
  # The loss of the whole batch is the mean of the devices' losses.
  gradients = parallel.all_gather(gradients) / parallel.count()  # [B, N]
  if len(indices) == 1:
    # XLA writes a single row into a copy of the whole table, and two in place:
    # the second one lies nowhere.
    indices = jnp.pad(indices, (0, 1), constant_values=-1)
    gradients = jnp.pad(gradients, ((0, 1), (0, 0)))
  same = indices[:, None] == indices[None, :]  # [B, B]
  gradients = same.astype(gradients.dtype) @ gradients
  first = jnp.argmax(same, axis=1) == jnp.arange(indices.shape[0])
  local = _local_indices(table, indices)
  local = jnp.where(first, local, table.rows.shape[0])  # one write a row

  def take(leaf):
    return leaf.at[local].get(mode='fill', fill_value=0)

  dtype = table.rows.dtype
  last_visit = take(table.last_visit)
  absence = (count - last_visit).astype(dtype)[:, None]
  second_moment = b2**absence * take(table.second_moment)
  second_moment += (1 - b2) * gradients**2
  unbiased = second_moment / (1 - b2 ** count.astype(dtype))
  step = gradients / (jnp.sqrt(unbiased) + epsilon)
  rows = take(table.rows)
  if begun is not None:
    rows = begin(rows, parallel.all_gather(begun))
  rows = rows - learning_rate * step

  def put(leaf, new):
    return leaf.at[local].set(new, mode='drop')

  return IdentityTable(
    put(table.rows, rows),
    put(table.second_moment, second_moment),
    # Of a constant XLA would make a copy of the table instead of a scatter.
    put(table.last_visit, jnp.maximum(last_visit, count)),
  )
