"""Pix2pixHD's networks (Wang et al., CVPR 2018). All NHWC.

The global generator G1, which is what the published code calls `global`, and
the multi-scale PatchGAN discriminators, as the authors' code has them
(NVIDIA/pix2pixHD, models/networks.py): instance normalisation without
parameters, reflection padding, kernels from N(0, 0.02).
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxheads.baselines.pix2pixhd.config import Pix2pixHDModelConfig
from flaxheads.models.convolution import convolve
from flaxheads.models.layers import as_matrix, instance_norm
from flaxheads.models.precision import widen
from flaxheads.models.resampling import interleave

_INIT = as_matrix(nn.initializers.normal(0.02))
_MAX_PATCH_CHANNELS = 512
_NUM_PATCH_LAYERS = 3  # strided or not, before the scores


class PatchOutput(NamedTuple):
  """What the discriminator of one scale says.

  Attributes:
    score: [B, h, w, 1]; 1 for real, 0 for generated.
    features: of the layers before it, four [B, h_i, w_i, C_i].
  """

  score: jax.Array
  features: list[jax.Array]


def transposed_conv3x3(x, kernel):
  """Transposed 3x3 convolution of stride 2 that doubles the size.

  PyTorch's with padding 1 and output padding 1: y[2i - 1 + k] += x[i] w[k]
  along both axes. Written as a plain convolution for each of the four output
  phases, because XLA's gradient of the transposed one is slow on CPUs.

  Args:
    x: [B, H, W, C].
    kernel: [3, 3, C, D].

  Returns:
    [B, 2H, 2W, D].
  """
  _, h, w, _ = x.shape
  x = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))

  def taps(k, phase, axis):
    # Even places see w[1] of x[i]; odd ones w[2] of x[i] and w[0] of x[i + 1].
    return jnp.take(k, jnp.array([2, 0] if phase else [1]), axis=axis)

  phases = [
    convolve(x[:, : h + a, : w + c], taps(taps(kernel, a, 0), c, 1))
    for a in (0, 1)
    for c in (0, 1)
  ]
  return interleave(phases)


class _Up(nn.Module):
  features: int
  dtype: jnp.dtype

  @nn.compact
  def __call__(self, x):
    shape = (3, 3, x.shape[-1], self.features)
    kernel = self.param('kernel', _INIT, shape).astype(self.dtype)
    bias = self.param('bias', nn.initializers.zeros, (self.features,))
    return transposed_conv3x3(x, kernel) + bias.astype(self.dtype)


def _normalize(x):
  channels = x.shape[-1]
  return instance_norm(x, jnp.ones(channels), jnp.zeros(channels))


def _reflect(x, width):
  return jnp.pad(x, ((0, 0), (width, width), (width, width), (0, 0)), 'reflect')


def _convolution(features, size, stride=1, padding='VALID', dtype=jnp.float32):
  return nn.Conv(
    features,
    (size, size),
    stride,
    padding,
    dtype=dtype,
    kernel_init=_INIT,
  )


class GlobalGenerator(nn.Module):
  """G1: c7s1-64, d128 to d1024, R1024 nine times, u512 to u64, c7s1-3.

  Attributes:
    base_channels: of the first convolution.
    num_downsamplings: each doubles the channels.
    num_residual_blocks: at the lowest resolution.
    dtype: of the arithmetic; parameters are float32.
  """

  base_channels: int = 64
  num_downsamplings: int = 4
  num_residual_blocks: int = 9
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, landmark_images):
    """Draws.

    Args:
      landmark_images: [B, H, W, 3] in [-1, 1].

    Returns:
      float32 [B, H, W, 3] in [-1, 1].
    """
    channels, dtype = self.base_channels, self.dtype
    x = _reflect(landmark_images.astype(dtype), 3)
    x = nn.relu(_normalize(_convolution(channels, 7, dtype=dtype)(x)))
    for _ in range(self.num_downsamplings):
      channels *= 2
      x = _convolution(channels, 3, 2, ((1, 1), (1, 1)), dtype)(x)
      x = nn.relu(_normalize(x))
    for _ in range(self.num_residual_blocks):
      y = _convolution(channels, 3, dtype=dtype)(_reflect(x, 1))
      y = nn.relu(_normalize(y))
      y = _convolution(channels, 3, dtype=dtype)(_reflect(y, 1))
      x = x + _normalize(y)
    for _ in range(self.num_downsamplings):
      channels //= 2
      x = nn.relu(_normalize(_Up(channels, dtype)(x)))
    x = _convolution(3, 7, dtype=dtype)(_reflect(x, 3))
    return jnp.tanh(widen(x))


class PatchDiscriminator(nn.Module):
  """70x70 PatchGAN: C64, C128, C256, C512 and a score for each place."""

  base_channels: int
  dtype: jnp.dtype

  @nn.compact
  def __call__(self, x) -> PatchOutput:
    features, padding = [], ((2, 2), (2, 2))
    channels = self.base_channels
    for layer in range(_NUM_PATCH_LAYERS + 1):
      stride = 2 if layer < _NUM_PATCH_LAYERS else 1
      x = _convolution(channels, 4, stride, padding, self.dtype)(x)
      x = nn.leaky_relu(_normalize(x) if layer else x, 0.2)
      features.append(x)
      channels = min(2 * channels, _MAX_PATCH_CHANNELS)
    score = _convolution(1, 4, 1, padding, self.dtype)(x)
    return PatchOutput(widen(score), features)


class MultiscaleDiscriminator(nn.Module):
  """The same discriminator with weights of its own at each scale.

  Attributes:
    base_channels: of its first layer.
    num_scales: 1, 1/2, ... of the image's size.
    dtype: of the arithmetic.
  """

  base_channels: int = 64
  num_scales: int = 2
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, frames, landmark_images) -> list[PatchOutput]:
    """Judges.

    Args:
      frames: [B, H, W, 3] in [-1, 1].
      landmark_images: [B, H, W, 3] in [-1, 1], what they should show.

    Returns:
      PatchOutput of each scale, the largest first.
    """
    x = jnp.concatenate([landmark_images, frames], -1).astype(self.dtype)
    outputs = []
    for scale in range(self.num_scales):
      if scale:
        x = nn.avg_pool(
          x, (3, 3), (2, 2), ((1, 1), (1, 1)), count_include_pad=False
        )
      judge = PatchDiscriminator(
        self.base_channels, self.dtype, name=f'scale_{scale}'
      )
      outputs.append(judge(x))
    return outputs


class Networks(NamedTuple):
  """G and D; stateless, parameters are passed in."""

  generator: GlobalGenerator
  discriminator: MultiscaleDiscriminator


def build_networks(config: Pix2pixHDModelConfig) -> Networks:
  """The modules that `config` describes."""
  dtype = jnp.dtype(config.dtype)
  return Networks(
    GlobalGenerator(
      config.base_channels,
      config.num_downsamplings,
      config.num_residual_blocks,
      dtype,
    ),
    MultiscaleDiscriminator(
      config.discriminator_channels, config.num_scales, dtype
    ),
  )


def init_params(config: Pix2pixHDModelConfig, key: jax.Array) -> dict:
  """Fresh {'generator', 'discriminator'}."""
  networks = build_networks(config)
  image = jnp.zeros((1, config.image_size, config.image_size, 3))
  keys = jax.random.split(key)
  return {
    'generator': networks.generator.init(keys[0], image)['params'],
    'discriminator': networks.discriminator.init(keys[1], image, image)[
      'params'
    ],
  }
