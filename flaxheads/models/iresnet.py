"""ArcFace's improved residual network: a face in, 512 numbers out.

Deng et al. 2019, "ArcFace: Additive Angular Margin Loss for Deep Face
Recognition", in the form that insightface publishes weights for
(arcface_torch). Batch normalisation behind a convolution stands in its kernel
and bias, where the conversion put it; that before one is an affine map of its
own, because the zeros of the padding come after it.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxheads.models.inputs import prepare
from flaxheads.weights import convention as conventions
from flaxheads.weights.convention import Convention

INPUT_SIZE = 112
NUM_FEATURES = 512
_CHANNELS = (64, 128, 256, 512)
# Residual blocks of the four stages.
R50_DEPTHS = (3, 4, 14, 3)
R100_DEPTHS = (3, 13, 30, 3)

_PRECISION = jax.lax.Precision.HIGHEST


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
  return nn.Conv(
    channels,
    (size, size),
    strides,
    padding=size // 2,
    precision=_PRECISION,
    name=name,
  )


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
    depths: residual blocks of the four stages.
    convention: what the weights want to see.
  """

  depths: tuple[int, int, int, int] = R50_DEPTHS
  convention: Convention = conventions.ARCFACE

  @nn.compact
  def __call__(self, frames):
    """Embeds faces.

    Args:
      frames: float [B, 112, 112, 3], RGB in [-1, 1], aligned as
        metrics.identity.align does.

    Returns:
      float32 [B, 512], not normalised.
    """
    x = prepare(frames, self.convention)
    x = _PReLU(name='prelu')(_conv(64, 3, 1, 'conv1')(x))
    for stage, depth in enumerate(self.depths):
      for i in range(depth):
        name = f'layer{stage + 1}_{i}'
        x = _Block(_CHANNELS[stage], 1 + (i == 0), i == 0, name=name)(x)
    x = _Affine(name='bn2')(x)  # [B, 7, 7, 512]
    x = x.reshape(len(x), -1)  # [B, 7 * 7 * 512]
    return nn.Dense(NUM_FEATURES, precision=_PRECISION, name='fc')(x)
