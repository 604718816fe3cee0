"""A whole step of meta-training, both VGGs in it, beside the reference's."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from flaxheads import networks as nets
from flaxheads.data.batch import Batch
from flaxheads.models import perceptual
from flaxheads.training import parallel
from flaxheads.training.content_loss import perceptual_content
from flaxheads.training.state import create_state
from flaxheads.training.step import make_train_step
from tests import tiny_game
from tests.benchmark import clock, remote
from tests.benchmark.sizes import Size

NUM_VIDEOS = 1000


def vggs(dtype) -> dict:
  """Both content networks with random parameters: {name: (network, params)}."""
  networks = {
    'vgg19': perceptual.vgg19(dtype=dtype),
    'vggface': perceptual.vggface(dtype=dtype),
  }
  image = jnp.zeros((1, 32, 32, 3))
  shapes = {
    name: jax.eval_shape(network.init, jax.random.key(0), image)['params']
    for name, network in networks.items()
  }
  return {
    name: (network, tiny_game.random_tree(shapes[name]))
    for name, network in networks.items()
  }


def content_of(config):
  """The content loss of both VGGs with random parameters."""
  made = vggs(jnp.dtype(config.model.dtype))
  networks = {name: network for name, (network, _) in made.items()}
  params = {name: params for name, (_, params) in made.items()}
  return perceptual_content(params, config.loss, networks)


def random_batch(config) -> Batch:
  """Noise, and points somewhere in it."""
  rng = np.random.default_rng(0)
  size, batch = config.model.image_size, config.training.batch_size
  shape = (batch, config.data.num_support + 1)
  return Batch(
    rng.integers(0, 256, (*shape, size, size, 3), np.uint8),
    rng.uniform(0, size, (*shape, 68, 2)).astype(np.float32),
    (np.arange(batch) % NUM_VIDEOS).astype(np.int32),
  )


def ours(size: Size, num_videos: int = NUM_VIDEOS) -> clock.Program:
  """Our step on one device, augmentation and drawing of landmarks included.

  Args:
    size: of the experiment.
    num_videos: rows of W.
  """
  config, mesh = size.experiment, parallel.make_mesh(1)
  networks, content = nets.build_networks(config.model), content_of(config)
  state = create_state(config, networks, num_videos, mesh)
  batch = parallel.place(random_batch(config), mesh, parallel.SHARDED)
  params = parallel.place(content.params, mesh, parallel.REPLICATED)
  step = make_train_step(config, networks, content, mesh)
  compiled, cost = clock.compile_program(step, (state, batch, params))
  run = clock.hold(compiled, state, batch, params)
  return clock.Program('flaxheads', run, cost)


def references(size: Size, options: dict) -> Iterator[clock.Program]:
  """The reference's step in several ways; pictures come to it ready drawn.

  Args:
    size: of the experiment.
    options: reference.training.Options by name.
  """
  from tests.benchmark.reference import programs  # needs PyTorch

  return (
    remote.program(programs.meta_training, size, name, option, NUM_VIDEOS)
    for name, option in options.items()
  )
