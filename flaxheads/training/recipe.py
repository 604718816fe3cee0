"""What the loop needs to know of whatever it trains."""

from collections.abc import Callable
from typing import NamedTuple


class Recipe(NamedTuple):
  """An experiment as functions; the loop knows no network.

  Attributes:
    constants: a tree of what a step reads and nobody trains, say a VGG.
    describe_state: (num_videos, mesh) -> shapes and placement of the state.
    create_state: (num_videos, mesh) -> the state before the first step; it
      has the number of steps done, `step`.
    make_step: mesh -> mapped (state, batch, constants) -> (state, metrics),
      metrics being a NamedTuple of scalars or of such NamedTuples.
    make_sampler: batch -> (state -> Look).
    shown: scalars for the progress bar, their names by label.
    knows_people: whether different people should look different.
  """

  constants: dict
  describe_state: Callable
  create_state: Callable
  make_step: Callable
  make_sampler: Callable
  shown: dict[str, str]
  knows_people: bool = True
