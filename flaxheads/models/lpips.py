"""LPIPS: a learned distance of two images.

Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a
Perceptual Metric", version 0.1, with AlexNet or VGG16 behind it.
"""

import flax.linen as nn
import jax.numpy as jnp

from flaxheads.models.normalisation import prepare
from flaxheads.models.precision import precise_conv
from flaxheads.weights import convention as conventions
from flaxheads.weights.convention import Convention

# Behind AlexNet's 11x11 convolution and two pools something must be left.
MIN_SIZE = 32
_VGG_DEPTHS = (2, 2, 3, 3, 3)
_VGG_CHANNELS = (64, 128, 256, 512, 512)
# Channels, kernel, stride and padding; a max pool before the second and third.
_ALEX_LAYERS = (
  (64, 11, 4, 2),
  (192, 5, 1, 2),
  (384, 3, 1, 1),
  (256, 3, 1, 1),
  (256, 3, 1, 1),
)


def _alex_features(x):
  """The five ReLU outputs of AlexNet."""
  features = []
  for i, layer in enumerate(_ALEX_LAYERS):
    if i in (1, 2):
      x = nn.max_pool(x, (3, 3), (2, 2))
    x = nn.relu(precise_conv(*layer, name=f'conv{i + 1}')(x))
    features.append(x)
  return features


def _vgg_features(x):
  """The last ReLU output of each of the five blocks of VGG16."""
  features = []
  for block, depth in enumerate(_VGG_DEPTHS):
    if block:
      x = nn.max_pool(x, (2, 2), (2, 2))
    for layer in range(depth):
      name = f'conv{block + 1}_{layer + 1}'
      x = nn.relu(precise_conv(_VGG_CHANNELS[block], 3, 1, 1, name)(x))
    features.append(x)
  return features


BACKBONES = {'alex': _alex_features, 'vgg': _vgg_features}


def _unit(x):
  """Divides every position's vector by its length."""
  length = jnp.sqrt(jnp.square(x).sum(-1, keepdims=True))
  return x / (length + 1e-10)


class LPIPS(nn.Module):
  """The distance of two images.

  Attributes:
    backbone: 'alex' or 'vgg'.
    convention: what the weights want to see.
  """

  backbone: str
  convention: Convention = conventions.LPIPS

  @nn.compact
  def __call__(self, a, b):
    """Measures the mean, weighted, squared difference of unit features.

    Args:
      a: float [B, H, W, 3], RGB in [-1, 1], H and W at least 32.
      b: the same shape and range.

    Returns:
      float32 [B], 0 (but for rounding) for equal images.
    """
    count = len(a)
    x = prepare(jnp.concatenate([a, b]), self.convention)
    distance = jnp.zeros(count)
    for i, y in enumerate(BACKBONES[self.backbone](x)):
      y = _unit(y)
      squares = jnp.square(y[:count] - y[count:]).mean((1, 2))  # [B, C]
      ones = nn.initializers.ones
      distance += squares @ self.param(f'lin{i}', ones, squares.shape[-1:])
    return distance
