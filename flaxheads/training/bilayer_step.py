"""One step of the bi-layer generator: pure in state, batch and constants.

One update of E, G and P and, where the loss asks for a discriminator, one of
D, w0, b and the rows of W (Zakharov et al. 2019, section 3.3).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from flaxheads import bilayer_networks as nets
from flaxheads.bilayer_config import BilayerConfig
from flaxheads.bilayer_networks import BilayerNetworks
from flaxheads.data.batch import Batch
from flaxheads.landmarks import layout
from flaxheads.models import spectral, windows
from flaxheads.training import (
  bilayer_losses,
  identity_table,
  losses,
  parallel,
)
from flaxheads.training.bilayer_inputs import Meshes, prepare_meshes
from flaxheads.training.objectives import (
  DiscriminatorTerms,
  discriminator_gradients,
)
from flaxheads.training.optimizers import (
  adam,
  apply_gradient,
  learning_rate_scale,
  moving_average,
  update_discriminator,
)
from flaxheads.training.state import (
  STATE_SPECS,
  TrainState,
  embedder_and_generator,
)


class GeneratorTerms(NamedTuple):
  """Of D, weighted; zeros where there is none."""

  adversarial: jax.Array
  feature_matching: jax.Array
  match: jax.Array


class BilayerMetrics(NamedTuple):
  """Scalars of one step, averaged over the global batch."""

  content: bilayer_losses.ContentTerms
  generator: GeneratorTerms
  discriminator: DiscriminatorTerms
  l1: jax.Array  # of the window, in [0, 2]
  warp_l1: jax.Array  # of the warp alone
  kept: jax.Array  # the photograph's mean share of the window
  gradient_norm: jax.Array
  learning_rate_scale: jax.Array


def render(networks: BilayerNetworks, params, meshes: Meshes):
  """(Rendering of the target from the first support frame, ê)."""
  points = meshes.support_vertices[..., : layout.NUM_POINTS, :2]
  embedding = nets.embed_people(
    networks, params['embedder'], meshes.support_frames, points
  )
  rendering = nets.render_window(
    networks,
    params['generator'],
    meshes.support_frames[:, 0],
    meshes.support_vertices[:, 0],
    meshes.target_vertices,
    embedding=embedding,
  )
  return rendering, embedding


class _Generated(NamedTuple):
  """What the generator's pass leaves for D and for the metrics."""

  content: bilayer_losses.ContentTerms
  terms: GeneratorTerms
  fake: jax.Array
  real: jax.Array
  landmark_images: jax.Array
  l1: jax.Array
  warp_l1: jax.Array
  kept: jax.Array


def _generator_loss(
  params, critic, meshes, rows, constants, *, config, networks, perceptual
):
  """The loss of E, G and P; `critic` are D's normalised parameters or None."""
  rendering, embedding = render(networks, params, meshes)
  fake, size = rendering.composite.frame, networks.generator.window_size
  real = windows.cut(meshes.target_frame, rendering.origin, size)
  content = bilayer_losses.content_terms(
    rendering,
    real,
    meshes.target_vertices[:, : layout.NUM_POINTS, :2],
    config.loss,
    perceptual,
    constants,
  )
  terms = GeneratorTerms(*[jnp.zeros(())] * 3)
  if critic is not None:
    judged, truth = (
      nets.discriminate(networks, critic, x, rendering.landmark_images, rows)
      for x in (fake, real)
    )
    terms = GeneratorTerms(
      config.loss.adversarial * losses.adversarial_loss(judged.score),
      config.loss.feature_matching
      * losses.features_loss(judged.features, truth.features),
      config.loss.match * losses.match_loss(embedding, rows),
    )
  generated = _Generated(
    content,
    terms,
    fake,
    real,
    rendering.landmark_images,
    jnp.abs(fake - real).mean(),
    jnp.abs(rendering.warped - real).mean(),
    rendering.composite.mask.mean(),
  )
  return sum(content) + sum(terms), generated


def _update_discriminator(
  state, generated, video_index, rows, scale, config, networks
):
  """D, w0, b and the rows: the changed fields of the state, and the terms."""
  vectors = state.spectral['discriminator']

  def discriminate(trained, frames, is_real):
    normal, rows = (
      spectral.normalize(trained['params'], vectors),
      trained['rows'],
    )
    if not is_real and config.identity_table.real_score_only:
      rows = jax.lax.stop_gradient(rows)
    return nets.discriminate(
      networks, normal, frames, generated.landmark_images, rows
    )

  params = state.params['discriminator']
  trained = {'params': params, 'rows': rows}
  gradient, terms = discriminator_gradients(
    trained,
    generated.real,
    generated.fake,
    discriminate=discriminate,
    weights=config.loss,
  )
  new_params, optimizer_state, table, _ = update_discriminator(
    config,
    params,
    state.discriminator_optimizer,
    state.table,
    (gradient['params'], gradient['rows']),
    video_index,
    state.step + 1,
    scale,
  )
  changed = {
    'spectral': {'discriminator': spectral.power_iteration(params, vectors)},
    'discriminator_optimizer': optimizer_state,
    'table': table,
  }
  return new_params, changed, terms


def _clip(gradient, most):
  """A gradient no longer than `most`, and its norm before."""
  norm = optax.tree.norm(gradient)
  shorter = jnp.minimum(1.0, most / (norm + 1e-12))
  return jax.tree.map(lambda g: g * shorter, gradient), norm


def _update_generator(state, rate, inputs, config, networks):
  """E, G and P: parameters, optimiser, _Generated, the gradient's norm."""
  player = embedder_and_generator(state.params)
  gradient, generated = jax.grad(_generator_loss, has_aux=True)(
    player, *inputs, config=config, **networks
  )
  gradient, norm = _clip(parallel.mean(gradient), config.optimizer.clip_norm)
  player, optimizer = apply_gradient(
    player, state.generator_optimizer, gradient, adam(config.optimizer), rate
  )
  return player, optimizer, generated, norm


def train_step(
  state: TrainState,
  batch: Batch,
  constants: dict,
  *,
  config: BilayerConfig,
  networks: BilayerNetworks,
  perceptual: bilayer_losses.Perceptual,
) -> tuple[TrainState, BilayerMetrics]:
  """The per-device step; see `make_train_step`."""
  key = jax.random.fold_in(jax.random.key(config.seed), state.step)
  meshes = prepare_meshes(batch, key, config)
  scale = learning_rate_scale(
    state.step, config.optimizer, config.training.num_steps
  )
  has_critic = config.loss.adversarial > 0
  critic = rows = None
  if has_critic:
    rows = identity_table.gather(state.table, batch.video_index)
    critic = spectral.normalize(
      state.params['discriminator'], state.spectral['discriminator']
    )

  # 1. E, G and P.
  player, generator_optimizer, generated, norm = _update_generator(
    state,
    scale * config.optimizer.generator_learning_rate,
    (critic, meshes, rows, constants),
    config,
    {'networks': networks, 'perceptual': perceptual},
  )

  # 2. D, w0, b and the rows of W, on the same x̂.
  critic, changed = state.params['discriminator'], {}
  terms = DiscriminatorTerms(*[jnp.zeros(())] * 4)
  if has_critic:
    critic, changed, terms = _update_discriminator(
      state, generated, batch.video_index, rows, scale, config, networks
    )

  # 3. The average that is evaluated and exported.
  average = moving_average(
    state.ema, player, config.training.ema_decay, state.step
  )
  metrics = BilayerMetrics(
    generated.content,
    generated.terms,
    terms,
    *(generated.l1, generated.warp_l1, generated.kept, norm, scale),
  )
  state = state.replace(
    step=state.step + 1,
    params={**player, 'discriminator': critic},
    generator_optimizer=generator_optimizer,
    ema=average,
    **changed,
  )
  return state, parallel.mean(metrics)


def make_train_step(
  config: BilayerConfig,
  networks: BilayerNetworks,
  perceptual: bilayer_losses.Perceptual,
  mesh: parallel.Mesh,
) -> Callable:
  """Maps the step over the devices of the mesh.

  Args:
    config: the experiment.
    networks: BilayerNetworks.
    perceptual: of `load_perceptual`.
    mesh: of flaxheads.training.parallel.

  Returns:
    (state, batch, constants) -> (state, BilayerMetrics); the state is donated,
    and the batch is split over the devices.
  """

  def step(state, batch, constants):
    return train_step(
      state,
      batch,
      constants,
      config=config,
      networks=networks,
      perceptual=perceptual,
    )

  return parallel.pmap(
    step,
    mesh,
    in_specs=(STATE_SPECS, parallel.SHARDED, parallel.REPLICATED),
    out_specs=(STATE_SPECS, parallel.REPLICATED),
    donate_argnums=(0,),
  )
