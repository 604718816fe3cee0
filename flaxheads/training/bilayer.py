"""The recipe of the bi-layer generator: state, step, preview."""

import functools

import jax
import jax.numpy as jnp

from flaxheads import bilayer_networks as nets
from flaxheads.bilayer_config import BilayerConfig
from flaxheads.bilayer_networks import BilayerNetworks
from flaxheads.data.batch import Batch
from flaxheads.data.mesh_pairs import MeshPairs
from flaxheads.data.pixels import to_float, to_uint8
from flaxheads.models import spectral, windows
from flaxheads.training import identity_table, parallel
from flaxheads.training.bilayer_inputs import Meshes
from flaxheads.training.bilayer_losses import (
  load_perceptual,
  part_mean,
  widened,
)
from flaxheads.training.bilayer_step import make_train_step, render
from flaxheads.training.optimizers import adam
from flaxheads.training.preview import Preview, preview_batch
from flaxheads.training.recipe import Recipe
from flaxheads.training.state import (
  STATE_SPECS,
  TrainState,
  embedder_and_generator,
)


def _init_state(config: BilayerConfig, networks, num_videos) -> TrainState:
  """The state before the first step, a function of config.seed alone."""
  keys = jax.random.split(jax.random.key(config.seed), 3)
  params = nets.init_params(networks, keys[0])
  params['discriminator'] = critic = identity_table.centred(
    params['discriminator'], config.identity_table.initial_size / 2
  )
  optimizer, player = adam(config.optimizer), embedder_and_generator(params)
  return TrainState(
    step=jnp.zeros((), jnp.int32),
    params=params,
    spectral={
      'discriminator': spectral.power_iteration(
        critic, spectral.init_spectral(keys[1], critic), num_iterations=10
      )
    },
    generator_optimizer=optimizer.init(player),
    discriminator_optimizer=optimizer.init(critic),
    ema=player,
    table=identity_table.init_table(
      keys[2],
      num_videos,
      config.model.embedding_size,
      config.identity_table.initial_size,
    ),
  )


def _fixed_meshes(batch: Batch) -> Meshes:
  frames = to_float(batch.frames)
  return Meshes(
    frames[:, :-1], batch.points[:, :-1], frames[:, -1], batch.points[:, -1]
  )


def make_preview(networks: BilayerNetworks, batch: Batch):
  """What E and G make of one batch.

  Args:
    networks: BilayerNetworks.
    batch: whose first eight people are rendered.

  Returns:
    TrainState -> Preview. The sheet has for each person the photograph,
    the warp alone, x̂, x, the new colours and the mask. The error is l1 plus
    that of the mouth. Scalars, of the windows, in [0, 2]: people/l1 and
    people/mouth of x̂, people/warp_l1 and people/warp_mouth of the warp.
  """
  batch = preview_batch(batch)
  size = networks.generator.window_size

  @jax.jit
  def compute(params, batch):
    meshes = _fixed_meshes(batch)
    rendering, _ = render(networks, params, meshes)
    real = windows.cut(meshes.target_frame, rendering.origin, size)
    fake, mask, _ = rendering.composite
    mouth = widened(rendering.field.labels[..., :1])
    row = [
      windows.cut(meshes.support_frames[:, 0], rendering.origin, size),
      rendering.warped,
      fake,
      real,
      rendering.rgb,
      jnp.repeat(2 * mask - 1, 3, -1),
    ]
    sheet = to_uint8(jnp.concatenate(row, axis=2))  # [B, n, 6n, 3]
    apart, warp_apart = jnp.abs(fake - real), jnp.abs(rendering.warped - real)
    scalars = {
      'people/l1': apart.mean(),
      'people/mouth': part_mean(mouth, apart),
      'people/warp_l1': warp_apart.mean(),
      'people/warp_mouth': part_mean(mouth, warp_apart),
      'people/kept': mask.mean(),
    }
    error = scalars['people/l1'] + scalars['people/mouth']
    return Preview(sheet.reshape(-1, *sheet.shape[2:]), error, scalars)

  return lambda state: jax.device_get(compute(state.ema, batch))


def make_recipe(config: BilayerConfig) -> Recipe:
  """What the loop trains.

  Raises:
    UserError: the file of LPIPS cannot be used.
  """
  networks = nets.build_networks(config.model)
  perceptual = load_perceptual(config)

  def describe_state(num_videos, mesh):
    make = functools.partial(_init_state, config, networks, num_videos)
    return parallel.describe(make, mesh, STATE_SPECS)

  def create_state(num_videos, mesh):
    make = functools.partial(_init_state, config, networks, num_videos)
    return parallel.build(make, mesh, STATE_SPECS)

  return Recipe(
    constants=perceptual.params,
    describe_state=describe_state,
    create_state=create_state,
    make_step=functools.partial(make_train_step, config, networks, perceptual),
    make_preview=functools.partial(make_preview, networks),
    shown={'l1': 'l1', 'mouth': 'content/mouth'},
    choose_frames=MeshPairs(config.data.still_share, config.data.max_turn),
  )
