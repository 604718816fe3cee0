"""The comparison itself."""

import numpy as np
import pytest

from tests.parity.agreement import (
  check,
  check_nearness,
  differences,
  nearness,
)


def test_a_difference_is_noticed():
  ours = {'a': np.ones(4), 'b': np.full(4, 1e-9)}
  same = {'a': np.ones(4), 'b': np.zeros(4)}
  assert differences(ours, same)[0][0] < 1e-5
  other = {'a': np.ones(4), 'b': np.full(4, 1e-3)}
  found = differences(ours, other)
  assert found[0] == (pytest.approx(1, rel=1e-3), 'b')


def test_checks_fail_where_they_should():
  ours = {'a': np.ones(4), 'b': np.ones(4), 'c': np.ones(4)}
  near = {name: leaf + 1e-5 for name, leaf in ours.items()}
  far = {name: leaf + 1e-3 for name, leaf in ours.items()}
  check('near', ours, near, 1e-4)
  with pytest.raises(AssertionError):
    nearness('near', ours, near, 'float64')
  level = nearness('as near as theirs', near, near, 'float32', exact=ours)
  check_nearness(level)
  behind = nearness('farther than theirs', far, near, 'float32', exact=ours)
  with pytest.raises(AssertionError):
    check_nearness(behind)
  check_nearness([level] * 4 + [behind])  # of five inputs
  with pytest.raises(AssertionError):
    check_nearness([behind, behind, level])
  one = {**ours, 'b': far['b']}
  check_nearness(nearness('one', one, near, 'float32', exact=ours))
  with pytest.raises(AssertionError):
    wrong = {**ours, 'b': ours['b'] + 0.1}
    nearness('one wrong', wrong, near, 'float32', exact=ours)
