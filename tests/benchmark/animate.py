"""Frames of a person from landmarks: several, and one at a time."""

from collections.abc import Iterator

import jax
import numpy as np

from flaxheads import networks as nets
from flaxheads.fewshot.direct import (
  best_batch_size,
  build_generate,
  without_projection,
)
from tests import tiny_game
from tests.benchmark import clock, remote
from tests.benchmark.sizes import Size


def random_points(size: Size, count: int) -> np.ndarray:
  """Landmarks somewhere in the picture, float32 [count, 68, 2]."""
  side = size.experiment.model.image_size
  shape = (count, 68, 2)
  return np.random.default_rng(0).uniform(0, side, shape).astype(np.float32)


def ours(size: Size, count: int) -> clock.Program:
  """Points on the host to uint8 frames on the host, landmarks drawn.

  Args:
    size: of the networks.
    count: frames, in batches of the size that animations have.
  """
  networks = nets.build_networks(size.experiment.model)
  params = tiny_game.make_params(size.experiment)['generator']
  psi = np.zeros(networks.generator.num_adain_params, np.float32)
  person = jax.device_put((without_projection(params), psi))
  at_once = min(count, best_batch_size(size.experiment.model.image_size))
  batches = np.split(random_points(size, count), count // at_once)
  compiled, cost = clock.compile_program(
    build_generate(networks), (*person, batches[0])
  )

  def run():
    for points in batches:
      np.asarray(compiled(*person, points))

  return clock.Program('flaxheads', run, cost.times(len(batches)))


def references(
  size: Size, options: dict, count: int
) -> Iterator[clock.Program]:
  """The reference's generator in several variants, inputs ready rasterised."""
  from tests.benchmark.reference import programs  # needs PyTorch

  ways = {}
  for name, option in options.items():  # how often D runs is nothing here
    ways.setdefault(option._replace(shared=True), name)
  return (
    remote.program(programs.animation, size, name, option, count)
    for option, name in ways.items()
  )
