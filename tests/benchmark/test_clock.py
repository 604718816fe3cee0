"""The clock: turns, quartiles, and what XLA counts."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.benchmark import ceilings, clock


def test_programs_take_turns_forwards_and_backwards():
  order = []
  programs = [
    clock.Program(name, lambda name=name: order.append(name)) for name in 'ab'
  ]
  timings = clock.interleave(programs, repeats=3)
  assert ''.join(order) == 'ab' + 'ab' + 'ba' + 'ab'
  assert [timing.repeats for timing in timings] == [3, 3]


def test_the_time_is_the_run_s_or_what_it_says():
  programs = [
    clock.Program('a', lambda: time.sleep(0.05)),
    clock.Program('b', lambda: 0.01, remote=True),
  ]
  slow, told = clock.interleave(programs, repeats=2)
  assert slow.low >= 0.05
  assert told == (0.01, 0.01, 0.01, 2)


def test_quartiles():
  timing = clock.summarise([5.0, 1.0, 2.0, 4.0, 3.0])
  assert timing == (3.0, 2.0, 4.0, 5)
  assert clock.summarise([2.0]) == (2.0, 2.0, 2.0, 1)


def test_the_cost_of_a_matrix_product():
  side = 64
  matrix = jnp.ones((side, side))
  compiled, cost = clock.compile_program(jax.jit(jnp.dot), (matrix, matrix))
  np.testing.assert_array_equal(compiled(matrix, matrix), side)
  assert cost.flops == pytest.approx(2 * side**3, rel=0.05)
  assert cost.bytes_accessed == pytest.approx(3 * 4 * side**2, rel=0.05)
  assert cost.peak_bytes >= 3 * 4 * side**2
  assert cost.compile_seconds > 0


def test_a_held_state_moves_on():
  seen = []

  def function(state, step):
    seen.append(int(state))
    return state + step, jnp.zeros(())

  run = clock.hold(function, jnp.array(1), 2)
  for _ in range(3):
    run()
  assert seen == [1, 3, 5]


def test_ceilings_are_rates():
  measured = ceilings.measure('float32', side=128, mebibytes=4)
  assert set(measured) == {'flops', 'bandwidth'}
  # A core does more than 10 MFLOP/s, and no machine 10 EFLOP/s.
  assert 1e7 < measured['flops'] < 1e19
  assert 1e7 < measured['bandwidth'] < 1e16
