"""InceptionV3 of the reference FID: pool3, 2048 numbers per image.

The network is the one of Szegedy et al. 2015, "Rethinking the Inception
Architecture", with the weights that Heusel et al. 2017 used for FID. That
network differs from other InceptionV3s, and pytorch-fid documents where: its
average pools leave padding out of the mean, and the last block pools by
maximum. Batch normalisation stands in the convolutions' kernels and biases:
the conversion put it there. Names are those of the published weights.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxheads.models.normalisation import prepare
from flaxheads.weights import convention as conventions
from flaxheads.weights.convention import Convention

INPUT_SIZE = 299
NUM_FEATURES = 2048


def resize(x):
  """Two-tap linear interpolation to the input size: aliasing is part of FID.

  Args:
    x: float [B, H, W, C].

  Returns:
    [B, 299, 299, C].
  """
  shape = (len(x), INPUT_SIZE, INPUT_SIZE, x.shape[-1])
  return jax.image.resize(x, shape, 'linear', antialias=False)


class _Conv(nn.Module):
  """Convolution and ReLU; `name` is the published one."""

  channels: int
  kernel: tuple[int, int]
  strides: int = 1
  same: bool = False

  @nn.compact
  def __call__(self, x):
    conv = nn.Conv(
      self.channels,
      self.kernel,
      self.strides,
      padding=[(k // 2, k // 2) if self.same else (0, 0) for k in self.kernel],
      precision=jax.lax.Precision.HIGHEST,
      name='conv',
    )
    return nn.relu(conv(x))


def _average_pool(x):
  return nn.avg_pool(
    x, (3, 3), padding=((1, 1), (1, 1)), count_include_pad=False
  )


def _max_pool(x):
  return nn.max_pool(x, (3, 3), (2, 2))


def _chain(x, prefix, *layers):
  """Convolutions prefix_1, prefix_2, ... one after another, size kept."""
  for i, (channels, kernel) in enumerate(layers, 1):
    x = _Conv(channels, kernel, same=True, name=f'{prefix}_{i}')(x)
  return x


class _BlockA(nn.Module):
  """Mixed_5b, 5c, 5d: 35x35."""

  pool_channels: int

  @nn.compact
  def __call__(self, x):
    one = _Conv(64, (1, 1), name='branch1x1')(x)
    five = _chain(x, 'branch5x5', (48, (1, 1)), (64, (5, 5)))
    three = _chain(x, 'branch3x3dbl', (64, (1, 1)), (96, (3, 3)), (96, (3, 3)))
    pool = _Conv(self.pool_channels, (1, 1), name='branch_pool')
    return jnp.concatenate([one, five, three, pool(_average_pool(x))], -1)


class _BlockB(nn.Module):
  """Mixed_6a: 35x35 to 17x17."""

  @nn.compact
  def __call__(self, x):
    three = _Conv(384, (3, 3), 2, name='branch3x3')(x)
    double = _chain(x, 'branch3x3dbl', (64, (1, 1)), (96, (3, 3)))
    double = _Conv(96, (3, 3), 2, name='branch3x3dbl_3')(double)
    return jnp.concatenate([three, double, _max_pool(x)], -1)


class _BlockC(nn.Module):
  """Mixed_6b to 6e: 17x17, convolutions 1x7 and 7x1."""

  channels: int

  @nn.compact
  def __call__(self, x):
    c, wide, high = self.channels, (1, 7), (7, 1)
    one = _Conv(192, (1, 1), name='branch1x1')(x)
    seven = _chain(x, 'branch7x7', (c, (1, 1)), (c, wide), (192, high))
    double = _chain(
      x,
      'branch7x7dbl',
      (c, (1, 1)),
      (c, high),
      (c, wide),
      (c, high),
      (192, wide),
    )
    pool = _Conv(192, (1, 1), name='branch_pool')(_average_pool(x))
    return jnp.concatenate([one, seven, double, pool], -1)


class _BlockD(nn.Module):
  """Mixed_7a: 17x17 to 8x8."""

  @nn.compact
  def __call__(self, x):
    three = _chain(x, 'branch3x3', (192, (1, 1)))
    three = _Conv(320, (3, 3), 2, name='branch3x3_2')(three)
    seven = _chain(
      x, 'branch7x7x3', (192, (1, 1)), (192, (1, 7)), (192, (7, 1))
    )
    seven = _Conv(192, (3, 3), 2, name='branch7x7x3_4')(seven)
    return jnp.concatenate([three, seven, _max_pool(x)], -1)


class _BlockE(nn.Module):
  """Mixed_7b and 7c: 8x8; their pools differ."""

  max_pool: bool

  @nn.compact
  def __call__(self, x):
    def split(x, prefix):
      wide = _Conv(384, (1, 3), same=True, name=f'{prefix}a')(x)
      high = _Conv(384, (3, 1), same=True, name=f'{prefix}b')(x)
      return [wide, high]

    one = _Conv(320, (1, 1), name='branch1x1')(x)
    three = _chain(x, 'branch3x3', (384, (1, 1)))
    double = _chain(x, 'branch3x3dbl', (448, (1, 1)), (384, (3, 3)))
    if self.max_pool:
      pool = nn.max_pool(x, (3, 3), padding=((1, 1), (1, 1)))
    else:
      pool = _average_pool(x)
    pool = _Conv(192, (1, 1), name='branch_pool')(pool)
    three = split(three, 'branch3x3_2')
    double = split(double, 'branch3x3dbl_3')
    return jnp.concatenate([one, *three, *double, pool], -1)


class InceptionV3(nn.Module):
  """From frames to the features that FID and KID compare.

  Attributes:
    convention: what the weights want to see.
  """

  convention: Convention = conventions.INCEPTION

  @nn.compact
  def __call__(self, frames):
    """Extracts features.

    Args:
      frames: float [B, H, W, 3], RGB in [-1, 1], of any size: they are brought
        to 299x299 as pytorch-fid does.

    Returns:
      float32 [B, 2048], not negative.
    """
    x = resize(prepare(frames, self.convention))
    x = _Conv(32, (3, 3), 2, name='Conv2d_1a_3x3')(x)
    x = _Conv(32, (3, 3), name='Conv2d_2a_3x3')(x)
    x = _Conv(64, (3, 3), same=True, name='Conv2d_2b_3x3')(x)
    x = _max_pool(x)
    x = _Conv(80, (1, 1), name='Conv2d_3b_1x1')(x)
    x = _Conv(192, (3, 3), name='Conv2d_4a_3x3')(x)
    x = _max_pool(x)
    for letter, channels in zip('bcd', (32, 64, 64), strict=True):
      x = _BlockA(channels, name=f'Mixed_5{letter}')(x)
    x = _BlockB(name='Mixed_6a')(x)
    for letter, channels in zip('bcde', (128, 160, 160, 192), strict=True):
      x = _BlockC(channels, name=f'Mixed_6{letter}')(x)
    x = _BlockD(name='Mixed_7a')(x)
    x = _BlockE(max_pool=False, name='Mixed_7b')(x)
    x = _BlockE(max_pool=True, name='Mixed_7c')(x)
    return x.mean((1, 2))
