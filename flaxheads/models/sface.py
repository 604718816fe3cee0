"""SFace: an embedding of a face, 128 numbers.

Zhong et al. 2021, "SFace: Sigmoid-Constrained Hypersphere Loss for Robust
Face Recognition", in the form of OpenCV's model zoo: MobileNet's depthwise
and pointwise convolutions with PReLUs. Batch normalisations stand in kernels
and biases, where the conversion put them.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxheads.models.normalisation import prepare
from flaxheads.models.precision import HIGHEST
from flaxheads.weights import convention as conventions
from flaxheads.weights.convention import Convention

INPUT_SIZE = 112
NUM_FEATURES = 128
# Channels and stride of the pairs of convolutions behind the first one.
_PAIRS = (
  (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1),
  (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip


def _depthwise(x, kernel, strides):
  """A 3x3 convolution of every channel by itself, as nine shifted products.

  XLA's CPU backend (jaxlib 0.10.2) runs a grouped convolution 12 times slower
  or more (4 x 56 x 56 x 128, one core).

  Args:
    x: [B, H, W, C].
    kernel: [3, 3, 1, C].
    strides: in both directions.
  """
  height, width = x.shape[1:3]
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  return sum(
    x[:, i : i + height : strides, j : j + width : strides] * kernel[i, j, 0]
    for i in range(3)
    for j in range(3)
  )


class _Layer(nn.Module):
  """A convolution and its PReLU."""

  channels: int
  size: int
  strides: int = 1
  depthwise: bool = False

  @nn.compact
  def __call__(self, x):
    into = 1 if self.depthwise else x.shape[-1]
    shape = (self.size, self.size, into, self.channels)
    kernel = self.param('kernel', nn.initializers.he_normal(), shape)
    if self.depthwise:
      x = _depthwise(x, kernel, self.strides)
    else:
      pad = self.size // 2
      x = jax.lax.conv_general_dilated(
        x,
        kernel,
        (self.strides, self.strides),
        [(pad, pad), (pad, pad)],
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        precision=HIGHEST,
      )
    x += self.param('bias', nn.initializers.zeros, (self.channels,))
    slope = nn.initializers.constant(0.25)
    return jnp.where(x > 0, x, x * self.param('slope', slope, (self.channels,)))


class SFace(nn.Module):
  """An embedding of aligned faces.

  Attributes:
    convention: what the weights want to see.
  """

  convention: Convention = conventions.SFACE

  @nn.compact
  def __call__(self, frames):
    """Embeds faces.

    Args:
      frames: float [B, 112, 112, 3], RGB in [-1, 1], aligned by
        metrics.identity.ARCFACE.

    Returns:
      float32 [B, 128], not normalised.
    """
    x = prepare(frames, self.convention)
    x = _Layer(32, 3, name='conv_1')(x)
    for i, (channels, strides) in enumerate(_PAIRS, 2):
      into = x.shape[-1]
      x = _Layer(into, 3, strides, depthwise=True, name=f'conv_{i}_dw')(x)
      x = _Layer(channels, 1, name=f'conv_{i}')(x)
    x = x.reshape(len(x), -1)  # [B, 7 * 7 * 1024]
    return nn.Dense(NUM_FEATURES, precision=HIGHEST, name='fc')(x)
