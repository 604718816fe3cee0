"""The interface between the training loop and what it trains."""

from collections.abc import Callable
from typing import NamedTuple

from flaxheads.data import episodes
from flaxheads.training import parallel


class Recipe(NamedTuple):
  """An experiment as functions; the loop knows no network.

  Attributes:
    constants: a tree of what a step reads and does not train, say a VGG.
    describe_state: (num_videos, mesh) -> shapes and placement of the state.
    create_state: (num_videos, mesh) -> the state before the first step; it
      has the number of steps done, `step`.
    make_step: mesh -> mapped (state, batch, constants) -> (state, metrics),
      metrics being a NamedTuple of scalars or of such NamedTuples.
    make_preview: batch -> (state -> flaxheads.training.preview.Preview).
    shown: scalars for the progress bar, their names by label.
    knows_people: whether different people should look different.
    begin: (state before the first step, preview batch) -> the same, adapted to
      the data.
    choose_frames: picks the frames of a record that make a sample.
  """

  constants: dict
  describe_state: Callable
  create_state: Callable
  make_step: Callable
  make_preview: Callable
  shown: dict[str, str]
  knows_people: bool = True
  begin: Callable = lambda state, batch: state
  choose_frames: episodes.FrameChoice = episodes.any_frames


def replicate_step(step: Callable, mesh: parallel.Mesh) -> Callable:
  """`make_step` of a recipe whose whole state is the same on all devices.

  Args:
    step: (state, this device's part of the batch, constants) -> (state,
      metrics), both made equal on all devices by itself.
    mesh: of flaxheads.training.parallel.
  """
  return parallel.pmap(
    step,
    mesh,
    in_specs=(parallel.REPLICATED, parallel.SHARDED, parallel.REPLICATED),
    out_specs=(parallel.REPLICATED, parallel.REPLICATED),
    donate_argnums=(0,),
  )
