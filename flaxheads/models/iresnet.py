"""ArcFace's improved residual network: an embedding of a face.

Deng et al. 2019, "ArcFace: Additive Angular Margin Loss for Deep Face
Recognition", in the form that insightface publishes weights for
(arcface_torch). Batch normalisation behind a convolution stands in its kernel
and bias, where the conversion put it; that before one is an affine map of its
own, because the zeros of the padding come after it.
"""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from flaxheads.models.normalisation import prepare
from flaxheads.models.precision import HIGHEST, precise_conv
from flaxheads.weights import convention as conventions
from flaxheads.weights.convention import Convention

INPUT_SIZE = 112


class Sizes(NamedTuple):
  """Of the four stages, and of what comes out.

  Attributes:
    depths: residual blocks.
    channels: of each block; the first convolution has those of the first.
    num_features: numbers that stand for a face.
  """

  depths: tuple[int, int, int, int]
  channels: tuple[int, int, int, int] = (64, 128, 256, 512)
  num_features: int = 512


R50 = Sizes((3, 4, 14, 3))
R100 = Sizes((3, 13, 30, 3))
# Ours, trained by training/face_identity.py; it has no batch normalisation.
SMALL = Sizes((1, 1, 1, 1), (16, 32, 64, 128), 128)


class _Affine(nn.Module):
  """scale x + bias, a number each for every channel."""

  @nn.compact
  def __call__(self, x):
    shape = x.shape[-1:]
    scale = self.param('scale', nn.initializers.ones, shape)
    return x * scale + self.param('bias', nn.initializers.zeros, shape)


class _PReLU(nn.Module):
  """ReLU whose negative slope is learned for every channel."""

  @nn.compact
  def __call__(self, x):
    slope = nn.initializers.constant(0.25)
    return jnp.where(x > 0, x, x * self.param('slope', slope, x.shape[-1:]))


def _conv(channels, size, strides, name):
  return precise_conv(channels, size, strides, size // 2, name)


class _Block(nn.Module):
  """Normalise, convolve, PReLU, convolve; the second conv has the stride."""

  channels: int
  strides: int
  project: bool

  @nn.compact
  def __call__(self, x):
    y = _Affine(name='bn1')(x)
    y = _conv(self.channels, 3, 1, 'conv1')(y)
    y = _PReLU(name='prelu')(y)
    y = _conv(self.channels, 3, self.strides, 'conv2')(y)
    if self.project:
      x = _conv(self.channels, 1, self.strides, 'downsample')(x)
    return x + y


class IResNet(nn.Module):
  """An embedding of aligned faces.

  Attributes:
    sizes: of the four stages.
    convention: what the weights want to see.
  """

  sizes: Sizes = R50
  convention: Convention = conventions.ARCFACE

  @nn.compact
  def __call__(self, frames):
    """Embeds faces.

    Args:
      frames: float [B, 112, 112, 3], RGB in [-1, 1], aligned as
        metrics.identity.align does.

    Returns:
      float32 [B, num_features], not normalised.
    """
    x = prepare(frames, self.convention)
    depths, channels, num_features = self.sizes
    x = _PReLU(name='prelu')(_conv(channels[0], 3, 1, 'conv1')(x))
    for stage, depth in enumerate(depths):
      for i in range(depth):
        name = f'layer{stage + 1}_{i}'
        x = _Block(channels[stage], 1 + (i == 0), i == 0, name=name)(x)
    x = _Affine(name='bn2')(x)  # [B, 7, 7, C]
    x = x.reshape(len(x), -1)  # [B, 7 * 7 * C]
    return nn.Dense(num_features, precision=HIGHEST, name='fc')(x)
