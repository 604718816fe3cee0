"""A small experiment, which ours and the reference both run."""

import functools

import jax
import numpy as np

from flaxheads import config as c
from flaxheads import networks as nets
from flaxheads.data.batch import Batch
from flaxheads.fewshot import finetune_step
from flaxheads.models import perceptual, spectral
from flaxheads.training.content_loss import perceptual_content, pyramid_content
from tests.tiny_game import as_float64

SIZE, VIDEOS = 64, 5


def make_config(dtype):
  config = c.Config(
    model=c.ModelConfig(
      image_size=SIZE,
      base_channels=8,
      max_channels=32,
      embedding_size=16,
      num_residual_blocks=2,
      bottleneck_size=8,
      dtype='float32',
    ),
    augment=c.AugmentConfig(
      flip=False, scale=0.0, shift=0.0, rotation=0.0, colour=0.0
    ),
    data=c.DataConfig(num_support=2),
    optimizer=c.OptimizerConfig(
      generator_learning_rate=1e-3,
      discriminator_learning_rate=1e-2,
      b1=1e-30,  # 0, but with a first moment: the gradient
      epsilon=1,
    ),
    training=c.TrainingConfig(batch_size=3),
    finetune=c.FinetuneConfig(
      generator_learning_rate=1e-3,
      discriminator_learning_rate=1e-2,
      ema_decay=0.9,
    ),
  )
  config.model.dtype = dtype  # float64 is for parity alone, and refused above
  return config


def random_params(networks):
  """Parameters that all matter: gates, biases and scales, too."""
  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda leaf: (leaf + 0.1 * rng.normal(size=leaf.shape)).astype(leaf.dtype),
    nets.init_params(networks, jax.random.key(0)),
  )


def random_rows(like):
  """W, in which video 1 has not begun: its row is zeros."""
  rows = np.random.default_rng(4).uniform(size=like.shape).astype(like.dtype)
  rows[1] = 0
  return rows


def vectors_of(params):
  """Converged, as in a run; far from it, kernels would be anything but 1."""
  return {
    name: spectral.power_iteration(
      tree, spectral.init_spectral(jax.random.key(1), tree), 20
    )
    for name, tree in params.items()
  }


def random_batch(config):
  rng = np.random.default_rng(1)
  shape = (config.training.batch_size, config.data.num_support + 1)
  return Batch(
    rng.integers(0, 256, (*shape, SIZE, SIZE, 3), np.uint8),
    rng.uniform(8, SIZE - 8, (*shape, 68, 2)).astype(np.float32),
    np.array([4, 1, 4]),  # one video twice
  )


def make_vggs(dtype):
  return {
    'vgg19': perceptual.vgg19(dtype=dtype),
    'vggface': perceptual.vggface(dtype=dtype),
  }


def in_float64(content):
  """The same content loss, with the same numbers."""
  config = make_config('float64')
  if not content.params:
    return pyramid_content(config.loss)
  params = as_float64(content.params)
  return perceptual_content(params, config.loss, make_vggs('float64'))


def finetuning_step(config, content):
  """The jitted step of fine-tuning, a function of state, frames, pictures."""
  step = jax.jit(
    functools.partial(
      finetune_step.finetune_step,
      experiment=config,
      networks=nets.build_networks(config.model),
      content=content.apply,
    )
  )
  return lambda *given: step(*given, None, content.params)
