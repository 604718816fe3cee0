"""The whole state of a meta-training run, as one tree of global arrays."""

import functools
from typing import NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from flaxheads import networks as nets
from flaxheads.config import Config
from flaxheads.data.batch import Batch
from flaxheads.data.pixels import to_float
from flaxheads.errors import UserError
from flaxheads.landmarks.rasterise import rasterise_landmarks
from flaxheads.models import spectral
from flaxheads.networks import Networks, init_params
from flaxheads.quick_jit import quick_jit
from flaxheads.training import identity_table, parallel
from flaxheads.training.identity_table import IdentityTable
from flaxheads.training.optimizers import adam


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


def embedder_and_generator(params: dict) -> dict:
  """What the generator step trains: E, G and P."""
  return {name: params[name] for name in ('embedder', 'generator')}


class RandomParts(NamedTuple):
  """What is random in a fresh state; fields as in TrainState."""

  params: dict
  spectral: dict
  table: IdentityTable


_RANDOM_SPECS = RandomParts(
  parallel.REPLICATED, parallel.REPLICATED, parallel.SHARDED
)


def init_random_parts(
  config: Config, networks: Networks, num_videos: int
) -> RandomParts:
  """Fresh parameters, a function of config.seed alone.

  Args:
    config: the experiment.
    networks: from `build_networks(config.model)`.
    num_videos: videos of the training split, rows of W.
  """
  keys = jax.random.split(jax.random.key(config.seed), 3)
  params = init_params(networks, keys[0])
  params['discriminator'] = identity_table.centred(
    params['discriminator'], config.identity_table.initial_size / 2
  )
  vectors = {
    name: spectral.power_iteration(
      tree,
      spectral.init_spectral(jax.random.fold_in(keys[1], i), tree),
      num_iterations=10,
    )
    for i, (name, tree) in enumerate(sorted(params.items()))
  }
  table = identity_table.init_table(
    keys[2],
    num_videos,
    config.model.embedding_size,
    config.identity_table.initial_size,
  )
  return RandomParts(params, vectors, table)


@functools.lru_cache(maxsize=8)
def _mean_embedder(networks):
  """The jitted mean of ê over the people of a batch."""

  def mean_embedding(params, vectors, batch):
    frames = to_float(batch.frames[:, :-1])
    landmark_images = rasterise_landmarks(batch.points[:, :-1], frames.shape[2])
    normal = spectral.normalize(params, vectors)
    return nets.embed_people(networks, normal, frames, landmark_images).mean(0)

  return quick_jit(mean_embedding, 'once')


def centre(networks: Networks, state: TrainState, batch: Batch) -> TrainState:
  """Centres W_i + w0 at zero, where W_i begins as ê_i; see `centred`.

  Args:
    networks: Networks.
    state: before the first step.
    batch: of people, on the host; the same on every process.

  Returns:
    The state with w0 less the mean ê of these people.
  """
  mean = _mean_embedder(networks)(
    state.params['embedder'], state.spectral['embedder'], batch
  )
  centred = identity_table.centred(state.params['discriminator'], mean)
  return state.replace(params={**state.params, 'discriminator': centred})


def _begin(config: Config, random: RandomParts) -> TrainState:
  """The state before the first step; pure."""
  optimizer = adam(config.optimizer)
  trained = embedder_and_generator(random.params)
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=random.params,
    spectral=random.spectral,
    generator_optimizer=optimizer.init(trained),
    discriminator_optimizer=optimizer.init(random.params['discriminator']),
    ema=trained,
    table=random.table,
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

  def make():
    return _begin(config, init_random_parts(config, networks, num_videos))

  return parallel.describe(make, mesh, STATE_SPECS)


_copy = quick_jit(lambda tree: jax.tree.map(jnp.copy, tree), 'once')


def create_state(
  config: Config, networks: Networks, num_videos: int, mesh: parallel.Mesh
) -> TrainState:
  """The state before the first step, each device making its own part of W.

  Only what is random is compiled: a program with every zero of Adam and every
  copy in it would compile for twice as long.
  """
  make = functools.partial(init_random_parts, config, networks, num_videos)
  random = parallel.build(make, mesh, _RANDOM_SPECS)
  like = jax.eval_shape(functools.partial(_begin, config), random)
  zeros = functools.partial(parallel.place_zeros, mesh=mesh)
  return TrainState(
    step=zeros(like.step),
    params=random.params,
    spectral=random.spectral,
    generator_optimizer=zeros(like.generator_optimizer),
    discriminator_optimizer=zeros(like.discriminator_optimizer),
    ema=_copy(embedder_and_generator(random.params)),
    table=random.table,
  )
