"""The same face is followed, and nobody else."""

import pytest

from flaxheads.landmarks.follow import Follower
from tests.data.coloured_faces import ColourDetector, picture


def test_nobody_else_takes_over():
  follow = Follower(ColourDetector(), None, 'x')
  both = picture({'green': (10, 40, 38), 'red': (120, 40, 40)})
  only_green = picture({'green': (10, 40, 38)})
  first, second, third = follow([both, only_green, both])
  assert first.centre[0] == pytest.approx(140)
  assert second is None
  assert third.centre[0] == pytest.approx(140)


def test_a_person_alone_is_found_after_a_cut():
  follow = Follower(ColourDetector(), None, 'x')
  _, nothing, found = follow(
    [
      picture({'red': (10, 40, 30)}),
      picture({}),
      picture({'red': (150, 30, 45)}),
    ]
  )
  assert nothing is None
  assert found.centre[0] == pytest.approx(172.5)
