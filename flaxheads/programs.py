"""The programs of an experiment, and what they cost on absent devices."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from flaxheads import bilayer_networks, experiments
from flaxheads import networks as nets
from flaxheads.bilayer_config import BilayerConfig
from flaxheads.config import Checked, Config
from flaxheads.data.batch import Batch
from flaxheads.data.mesh_pairs import NUM_VERTICES
from flaxheads.errors import UserError, check_choice
from flaxheads.fewshot import bilayer_model, direct
from flaxheads.fewshot.finetune_programs import jit_step
from flaxheads.fewshot.finetune_step import start_state
from flaxheads.fewshot.photo_network import BATCH as PHOTO_BATCH
from flaxheads.landmarks.head_warp import WarpField
from flaxheads.landmarks.layout import NUM_POINTS
from flaxheads.models import spectral
from flaxheads.training import cost, parallel
from flaxheads.training.content_loss import build_content
from flaxheads.training.cost import Program
from flaxheads.weights.store import ZEROS

NUM_VIDEOS = 145_569  # VoxCeleb2's training split
_EPOCHS = 75  # of the paper's training
# Of the papers' losses, and others that a config may name in their place.
_CONTENT_NETWORKS = ('vgg19', 'vggface', 'lpips_alex')
_OTHERS = ('vgg16', 'lpips_vgg')
_PEOPLE = ('embedder', 'generator')  # networks that make a person


def _with_content_networks(config: Checked) -> Checked:
  """The config with its paper's content networks, zeros where it names none."""
  files = getattr(config, 'perceptual', None)
  known = _CONTENT_NETWORKS + _OTHERS
  if files is None or any(getattr(files, name, '') for name in known):
    return config
  names = [name for name in _CONTENT_NETWORKS if hasattr(files, name)]
  if hasattr(config, 'identity') and not config.identity.num_steps:
    names = []  # X2Face's first stage
  files = dataclasses.replace(files, **dict.fromkeys(names, ZEROS))
  return dataclasses.replace(config, perceptual=files)


def _placed(mesh, tree):
  return parallel.describe_placed(tree, mesh, parallel.REPLICATED)


def _array(mesh, *shape, dtype=jnp.float32):
  return _placed(mesh, jax.ShapeDtypeStruct(shape, dtype))


def step_program(config: Checked, mesh: parallel.Mesh) -> Program:
  """The training step, with the W of VoxCeleb2.

  Content networks that the config names no file of, but its paper has, are in
  it as well.

  Args:
    config: of any kind.
    mesh: over which the batch is split.

  Raises:
    UserError: batch or table do not split over the mesh.
  """
  cost.check_batch(config, mesh)
  recipe = experiments.make_recipe(_with_content_networks(config))
  state = recipe.describe_state(NUM_VIDEOS, mesh)
  b, count = config.training.batch_size, config.data.num_support + 1
  size = config.model.image_size
  is_mesh = isinstance(config, BilayerConfig)
  points = (NUM_VERTICES, 3) if is_mesh else (NUM_POINTS, 2)
  batch = Batch(
    jax.ShapeDtypeStruct((b, count, size, size, 3), jnp.uint8),
    jax.ShapeDtypeStruct((b, count, *points), jnp.float32),
    jax.ShapeDtypeStruct((b,), jnp.int32),
  )
  batch = parallel.describe_placed(batch, mesh, parallel.SHARDED)
  constants = _placed(mesh, recipe.constants)
  arguments = state, batch, constants
  samples = b / parallel.num_devices(mesh)
  return Program(recipe.make_step(mesh), arguments, state, samples)


def _describe_model(networks: nets.Networks):
  """Parameters and spectral vectors, shapes alone."""

  def make(key):
    params = nets.init_params(networks, key)
    vectors = {k: spectral.init_spectral(key, v) for k, v in params.items()}
    return params, vectors

  return jax.eval_shape(make, jax.random.key(0))


def embed_program(config, mesh, num_shots: int) -> Program:
  """E on T frames of a person, and P."""
  size = config.model.image_size
  frames = _array(mesh, num_shots, size, size, 3, dtype=jnp.uint8)
  if isinstance(config, BilayerConfig):
    networks = bilayer_networks.build_networks(config.model)
    params = bilayer_networks.describe_params(networks, _PEOPLE)
    embed = bilayer_model.build_embedder(networks)
  else:
    networks = nets.build_networks(config.model)
    params, _ = _describe_model(networks)
    embed = direct.build_embedder(networks)
  side = networks.embedder.image_size
  landmarks = _array(mesh, num_shots, side, side, 3)  # rasterised by the host
  params = _placed(mesh, {k: params[k] for k in _PEOPLE})
  function = jax.jit(embed.__wrapped__)
  return Program(function, (params, frames, landmarks), params, num_shots)


def finetune_program(config, mesh, num_shots: int) -> Program:
  """One step of fine-tuning on T frames; its batch is the smaller of both."""
  config = _with_content_networks(config)
  networks = nets.build_networks(config.model)
  params, vectors = _describe_model(networks)
  state = jax.eval_shape(
    functools.partial(start_state, config),
    params,
    vectors,
    jax.ShapeDtypeStruct((config.model.embedding_size,), jnp.float32),
    jax.ShapeDtypeStruct((networks.generator.num_adain_params,), jnp.float32),
  )
  content = build_content(config)
  step = jax.jit(jit_step(config, networks, content.apply).__wrapped__)
  b, size = min(num_shots, config.finetune.batch_size), config.model.image_size
  image, state = _array(mesh, b, size, size, 3), _placed(mesh, state)
  points = _array(mesh, b, NUM_POINTS, 2)
  constants = _placed(mesh, content.params)
  return Program(step, (state, image, image, points, constants), state, b)


def animate_program(config, mesh) -> Program:
  """Frames of a video, a batch as large as accelerators take."""
  if isinstance(config, BilayerConfig):
    networks = bilayer_networks.build_networks(config.model)
    described = bilayer_networks.describe_params(networks, _PEOPLE)
    params = described['generator']
    b, window = PHOTO_BATCH, (PHOTO_BATCH, *(config.model.window_size,) * 2)
    generate = bilayer_model.build_generator(networks).__wrapped__
    image = _array(mesh, *window, 3)
    field = WarpField(*(_array(mesh, *window, n) for n in (2, 3, 1, 1)))
    arguments = image, image, field, _array(mesh, b, 2)
  else:
    networks = nets.build_networks(config.model)
    params, b = _describe_model(networks)[0]['generator'], direct.BATCH
    generate = direct.build_generate(networks).__wrapped__
    arguments = (_array(mesh, b, NUM_POINTS, 2),)
  generator = _placed(mesh, direct.without_projection(params))
  psi = _array(mesh, networks.generator.num_adain_params)
  return Program(jax.jit(generate), (generator, psi, *arguments), generator, b)


def _one_sample(config: Checked) -> Checked:
  training = dataclasses.replace(config.training, batch_size=1)
  if hasattr(training, 'accumulation_steps'):
    training.accumulation_steps = 1
  return dataclasses.replace(config, training=training)


_PROGRAMS = {
  'step': lambda config, mesh, num_shots: step_program(config, mesh),
  'embed': embed_program,
  'finetune': finetune_program,
  'animate': lambda config, mesh, num_shots: animate_program(config, mesh),
}
NAMES = tuple(_PROGRAMS)


def _check(config: Checked, name: str, mesh: parallel.Mesh) -> None:
  check_choice('--program', name, NAMES)
  kinds = Config | BilayerConfig
  if name == 'finetune':
    kinds = Config  # the bi-layer generator is not fine-tuned
  if name != 'step' and not isinstance(config, kinds):
    kind = getattr(config, 'kind', 'model')
    raise UserError(f'--program={name}: not for a config of {kind}; step is')
  if name != 'step' and parallel.num_devices(mesh) > 1:
    raise UserError(
      f'--program={name}: runs on one device; name one in --topology'
    )


def describe(config: Config | BilayerConfig) -> dict:
  """Counts parameters, arithmetic and memory of an experiment.

  Args:
    config: the experiment.

  Returns:
    {'parameters': {network: count}, 'flops_per_sample': of the step at one
    sample, 'state_bytes_per_device': with the W of VoxCeleb2's 145,569 videos,
    over the devices there are}.

  Raises:
    UserError: the experiment is a baseline's.
  """
  if not isinstance(config, Config | BilayerConfig):
    raise UserError(
      f'--config: of {config.kind}; only the cost of the two generators of '
      'this method is counted'
    )
  mesh = parallel.make_mesh(1)
  program = step_program(_one_sample(config), mesh)
  recipe = experiments.make_recipe(config)
  spread = recipe.describe_state(NUM_VIDEOS, parallel.make_mesh())
  return {
    'parameters': {
      name: cost.count(tree)
      for name, tree in sorted(program.state.params.items())
    },
    'flops_per_sample': int(
      cost.count_flops(program.function, program.arguments, mesh)
    ),
    'state_bytes_per_device': cost.bytes_per_device(spread),
  }


def _flops(config, name, num_shots, samples: float) -> float:
  """Of a program for a GPU: XLA's count of the form for accelerators."""
  mesh = parallel.make_mesh(1)
  config = _one_sample(config) if name == 'step' else config
  program = _PROGRAMS[name](config, mesh, num_shots)
  flops = cost.count_flops(program.function, program.arguments, mesh)
  return flops * samples / program.samples


def describe_on(
  config: Checked, mesh: parallel.Mesh, name: str = 'step', num_shots: int = 8
) -> dict:
  """Compiles a program of an experiment for devices that may be absent.

  Args:
    config: the experiment; a training batch is split over the mesh.
    mesh: say from `absent_devices.make_topology_mesh`.
    name: one of NAMES.
    num_shots: T, of 'embed' and 'finetune'.

  Returns:
    The figures of `cost.measure` and, where the chip is known, of
    `cost.limits`; of a step also 'least_hours_of_75_epochs' of VoxCeleb2, and
    of a program that does not fit 'advice'.

  Raises:
    UserError: batch or table do not split over the mesh, or there is no such
      program of this experiment.
  """
  _check(config, name, mesh)
  program = _PROGRAMS[name](config, mesh, num_shots)
  figures = {'program': name, **cost.measure(program, mesh)}
  if figures['flops'] is None:
    figures['flops'] = _flops(config, name, num_shots, program.samples)
  chip = parallel.chip(mesh)
  if chip is None:
    return figures
  figures |= cost.limits(figures, chip)
  if name == 'step':
    steps = _EPOCHS * NUM_VIDEOS / config.training.batch_size
    figures['least_hours_of_75_epochs'] = (
      steps * figures['least_seconds'] / 3600
    )
  if 'samples_that_fit' in figures:
    figures['advice'] = _advice(config, name, figures)
  return figures


def _advice(config, name: str, figures: dict) -> str:
  """Which field makes a program fit."""
  if name == 'step':
    return cost.advise(config, figures)
  fit = figures['samples_that_fit']
  if name == 'embed':
    return f'--num_shots={fit} fits' if fit else 'a smaller model may fit'
  field = 'finetune.batch_size' if name == 'finetune' else 'model.image_size'
  return f'--config.{field} must be lower: {fit} frames at once fit'
