"""Batches reach the devices before they are asked for, and in order."""

import threading

import grain
import jax
import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.training import parallel, prefetch

NUM_DEVICES = 2
PATIENCE = 30  # seconds that no test needs


class _Reader:
  """Numbers of batches -> batches; says which were read, by whom."""

  def __init__(self, broken=None):
    self.read = [threading.Event() for _ in range(10)]
    self.threads = set()
    self.broken = broken

  def __call__(self, number):
    self.threads.add(threading.get_ident())
    if number == self.broken:
      raise UserError('video7: has 3 frames')
    self.read[number].set()
    return {'x': np.full((4, 3), number, np.float32)}


def _placed(reader, count=10):
  batches = grain.MapDataset.range(count).to_iter_dataset(
    grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
  )
  mesh = parallel.make_mesh(NUM_DEVICES)
  return prefetch.place_ahead(batches.map(reader), mesh)


def test_batches_come_in_order_and_split_over_the_devices():
  placed = _placed(_Reader())
  for number, batch in enumerate(placed):
    assert len(batch['x'].addressable_shards) == NUM_DEVICES
    assert batch['x'].addressable_shards[0].data.shape == (2, 3)
    np.testing.assert_array_equal(batch['x'], np.full((4, 3), number))
  assert number == 9
  placed.close()


def test_the_next_batches_are_read_during_a_step_and_no_more_than_two():
  reader = _Reader()
  placed = _placed(reader)
  next(placed)
  # Nobody asks: this thread is busy with its step.
  assert reader.read[1].wait(PATIENCE)
  assert reader.read[2].wait(PATIENCE)
  assert not reader.read[3].wait(0.2)
  assert threading.get_ident() not in reader.threads
  placed.close()


def test_what_goes_wrong_in_reading_is_raised_in_its_turn():
  placed = _placed(_Reader(broken=2))
  assert [next(placed)['x'][0, 0] for _ in range(2)] == [0, 1]
  with pytest.raises(UserError, match='video7: has 3 frames'):
    next(placed)
  placed.close()


def test_closing_ends_the_thread():
  before = threading.active_count()
  placed = _placed(_Reader())
  next(placed)
  assert threading.active_count() == before + 1
  placed.close()
  assert threading.active_count() == before


def test_what_has_been_computed_is_done():
  made = jax.block_until_ready(jax.numpy.ones(3) + 1)
  assert parallel.is_done({'jax': made, 'numpy': np.ones(2)})
