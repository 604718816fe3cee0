"""Pix2pixHD's networks: transposed convolution, published sizes, scales."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads.baselines.pix2pixhd import networks as pix2pixhd
from flaxheads.baselines.pix2pixhd.config import Pix2pixHDModelConfig
from flaxheads.baselines.pix2pixhd.networks import (
  build_networks,
  init_params,
)
from tests import tiny_game


def test_the_transposed_convolution_scatters_each_pixel():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, 3, 5, 4)).astype(np.float32)
  kernel = rng.normal(size=(3, 3, 4, 6)).astype(np.float32)
  # PyTorch's stride 2, padding 1, output padding 1: y[2i - 1 + k] += x[i] w[k].
  wanted = np.zeros((2, 8, 12, 6))
  for i in range(3):
    for j in range(5):
      for a in range(3):
        for b in range(3):
          wanted[:, 2 * i + a, 2 * j + b] += x[:, i, j] @ kernel[a, b]
  wanted = wanted[:, 1:7, 1:11]
  np.testing.assert_allclose(
    pix2pixhd.transposed_conv3x3(x, kernel), wanted, atol=1e-5
  )


def _conv(size, inputs, outputs):
  return size * size * inputs * outputs + outputs


def _generator_count(inputs, base=64, downs=4, blocks=9):
  wide = base << downs
  ladder = [(base << i, base << (i + 1)) for i in range(downs)]
  return (
    _conv(7, inputs, base)
    + sum(_conv(3, a, b) + _conv(3, b, a) for a, b in ladder)
    + 2 * blocks * _conv(3, wide, wide)
    + _conv(7, base, 3)
  )


def _discriminator_count(inputs, base=64, scales=2):
  wide = [inputs, base, 2 * base, 4 * base, min(8 * base, 512)]
  layers = sum(_conv(4, a, b) for a, b in zip(wide, wide[1:], strict=False))
  return scales * (layers + _conv(4, wide[-1], 1))


@pytest.mark.parametrize(
  'config', [Pix2pixHDModelConfig(), Pix2pixHDModelConfig.small()]
)
def test_the_size_is_the_published_code_s(config):
  shapes = jax.eval_shape(lambda: init_params(config, jax.random.key(0)))
  counted = {
    name: sum(leaf.size for leaf in jax.tree.leaves(tree))
    for name, tree in shapes.items()
  }
  assert counted == {
    'generator': _generator_count(
      3,
      config.base_channels,
      config.num_downsamplings,
      config.num_residual_blocks,
    ),
    'discriminator': _discriminator_count(
      6, config.discriminator_channels, config.num_scales
    ),
  }


def test_the_published_size_is_what_is_known_of_it():
  # With Cityscapes' 35 labels and an edge map, as the published code counts.
  assert _generator_count(36) == 182_546_755
  assert _generator_count(3) == 182_443_267
  assert _discriminator_count(6) == 5_535_618


def test_scores_are_of_patches_at_two_scales():
  config = Pix2pixHDModelConfig()
  networks = build_networks(config)
  image = jnp.zeros((1, 256, 256, 3))

  def judge(key):
    params = init_params(config, key)['discriminator']
    return networks.discriminator.apply({'params': params}, image, image)

  large, small = jax.eval_shape(judge, jax.random.key(0))
  # Kernels of 4 with a padding of 2: 256, 129, 65, 33, 34, 35.
  assert large.score.shape == (1, 35, 35, 1)
  assert [f.shape[1] for f in large.features] == [129, 65, 33, 34]
  assert [f.shape[-1] for f in large.features] == [64, 128, 256, 512]
  assert small.score.shape == (1, 19, 19, 1)
  assert large.score.dtype == jnp.float32


def test_the_generator_draws_what_landmarks_ask_for():
  config = Pix2pixHDModelConfig(64, 4, 2, 1, 4, 1, 'float32')
  networks = build_networks(config)
  shapes = jax.eval_shape(lambda: init_params(config, jax.random.key(0)))
  params = tiny_game.random_tree(shapes['generator'])
  draw = jax.jit(lambda y: networks.generator.apply({'params': params}, y))
  rng = np.random.default_rng(0)
  pictures = rng.uniform(-1, 1, (2, 64, 64, 3)).astype(np.float32)
  drawn = draw(pictures)
  assert drawn.shape == (2, 64, 64, 3) and np.abs(drawn).max() <= 1
  # A frame depends on its own landmarks alone.
  pictures[0] = -pictures[0]
  changed = draw(pictures)
  np.testing.assert_array_equal(changed[1], drawn[1])
  assert np.abs(changed[0] - drawn[0]).mean() > 1e-2
