"""One step of fine-tuning on T pictures, both VGGs in it."""

from collections.abc import Iterator

import jax
import numpy as np

from flaxheads import networks as nets
from flaxheads.fewshot import finetune_step as step_module
from flaxheads.fewshot.finetune_programs import jit_step
from flaxheads.models import spectral
from tests import tiny_game
from tests.benchmark import clock, remote
from tests.benchmark.meta_train import content_of
from tests.benchmark.sizes import Size


def pictures(size: Size) -> tuple[np.ndarray, np.ndarray]:
  """T frames and landmark images of noise, float32 [T, S, S, 3]."""
  side = size.experiment.model.image_size
  rng = np.random.default_rng(0)
  return rng.uniform(-1, 1, (2, size.shots, side, side, 3)).astype(np.float32)


def _step(size: Size) -> clock.Program:
  config = size.experiment
  networks, content = nets.build_networks(config.model), content_of(config)
  params = tiny_game.make_params(config)
  shapes = jax.eval_shape(
    lambda: {
      name: spectral.init_spectral(jax.random.key(0), tree)
      for name, tree in params.items()
    }
  )
  vectors = tiny_game.random_tree(shapes)
  state = step_module.start_state(
    config,
    params,
    vectors,
    np.zeros(config.model.embedding_size, np.float32),
    np.zeros(networks.generator.num_adain_params, np.float32),
  )
  step = jit_step(config, networks, content.apply).jitted()
  # No term of this loss looks at points.
  state = jax.device_put(state)
  rest = jax.device_put((*pictures(size), None, content.params))
  compiled, cost = clock.compile_program(step, (state, *rest))
  return clock.Program('flaxheads', clock.hold(compiled, state, *rest), cost)


def ours(size: Size) -> clock.Program:
  """Our step on one device; see `remote.program` where it runs alone."""
  return remote.program(_step, size, alone=True) if size.alone else _step(size)


def references(size: Size, options: dict) -> Iterator[clock.Program]:
  """The reference's step in several ways; see `meta_train.references`."""
  from tests.benchmark.reference import programs  # needs PyTorch

  return (
    remote.program(
      *(programs.finetuning, size, name, option, pictures(size)),
      alone=size.alone,
    )
    for name, option in options.items()
  )
