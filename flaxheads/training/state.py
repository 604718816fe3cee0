"""The whole state of a meta-training run, as one tree of global arrays."""

import functools

import flax.struct
import jax
import optax

from flaxheads.config import Config, OptimizerConfig
from flaxheads.errors import UserError
from flaxheads.models import spectral
from flaxheads.training import identity_table, parallel
from flaxheads.training.identity_table import IdentityTable
from flaxheads.training.networks import Networks, init_params


@flax.struct.dataclass
class TrainState:
  """Everything that a step reads and writes.

  Attributes:
    step: int32, updates of E and G done.
    params: {'embedder', 'generator', 'discriminator'}, not normalised.
    spectral: the power iteration's vectors, same top keys.
    generator_optimizer: Adam's state for E and G.
    discriminator_optimizer: Adam's state for D.
    ema: moving average of the parameters of E and G.
    table: W, sharded over devices.
  """

  step: jax.Array
  params: dict
  spectral: dict
  generator_optimizer: optax.OptState
  discriminator_optimizer: optax.OptState
  ema: dict
  table: IdentityTable


# Which leaves are the same on all devices, and which are split over them.
STATE_SPECS = TrainState(
  step=parallel.REPLICATED,
  params=parallel.REPLICATED,
  spectral=parallel.REPLICATED,
  generator_optimizer=parallel.REPLICATED,
  discriminator_optimizer=parallel.REPLICATED,
  ema=parallel.REPLICATED,
  table=parallel.SHARDED,
)


def generator_side(params: dict) -> dict:
  """What the first player trains: E, G and P."""
  return {name: params[name] for name in ('embedder', 'generator')}


def adam(config: OptimizerConfig) -> optax.GradientTransformation:
  """Adam without its learning rate, which the step multiplies in."""
  return optax.scale_by_adam(config.b1, config.b2, config.epsilon)


def init_state(
  config: Config, networks: Networks, num_videos: int
) -> TrainState:
  """A fresh state, a function of config.seed alone.

  Args:
    config: the experiment.
    networks: from `build_networks(config.model)`.
    num_videos: videos of the training split, rows of W.
  """
  keys = jax.random.split(jax.random.key(config.seed), 3)
  params = init_params(networks, keys[0])
  vectors = {
    name: spectral.power_iteration(
      tree,
      spectral.init_spectral(jax.random.fold_in(keys[1], i), tree),
      num_iterations=10,
    )
    for i, (name, tree) in enumerate(sorted(params.items()))
  }
  optimizer = adam(config.optimizer)
  return TrainState(
    step=jax.numpy.zeros((), jax.numpy.int32),
    params=params,
    spectral=vectors,
    generator_optimizer=optimizer.init(generator_side(params)),
    discriminator_optimizer=optimizer.init(params['discriminator']),
    ema=jax.tree.map(jax.numpy.copy, generator_side(params)),
    table=identity_table.init_table(
      keys[2], num_videos, config.model.embedding_size
    ),
  )


def describe_state(
  config: Config, networks: Networks, num_videos: int, mesh: parallel.Mesh
) -> TrainState:
  """Shapes, dtypes and placement of a state, without making it.

  Raises:
    UserError: the rows of W do not split over the devices.
  """
  num_devices = parallel.num_devices(mesh)
  if identity_table.num_rows(num_videos) % num_devices:
    raise UserError(
      f'{num_devices} devices: the rows of W do not split over them; take a '
      'power of two (--num_devices)'
    )
  make = functools.partial(init_state, config, networks, num_videos)
  return parallel.describe(make, mesh, STATE_SPECS)


def create_state(
  config: Config, networks: Networks, num_videos: int, mesh: parallel.Mesh
) -> TrainState:
  """`init_state`, each device making its own part of W."""
  make = functools.partial(init_state, config, networks, num_videos)
  return parallel.build(make, mesh, STATE_SPECS)
