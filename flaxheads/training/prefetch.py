"""Transfers the next batches to the devices while a step runs."""

import grain

from flaxheads.training import parallel


def place_ahead(batches: grain.IterDataset, mesh: parallel.Mesh):
  """Puts batches on the devices while the steps before them run.

  A thread of grain's asks for their transfer, at most two ahead of the one
  in use; a step begins when its own has arrived.

  Args:
    batches: of numpy arrays, the local part of each process.
    mesh: from `parallel.make_mesh`.

  Returns:
    An iterator of SHARDED batches in the same order, to be closed after use.
  """
  placed = batches.map(
    lambda batch: parallel.place(batch, mesh, parallel.SHARDED)
  )
  # The second one waits in the thread for its place in the buffer.
  ahead = grain.experimental.ThreadPrefetchIterDataset(
    placed, prefetch_buffer_size=1
  )
  return iter(ahead)
