"""X2Face's networks (Wiles, Koepke and Zisserman, ECCV 2018).

As in the authors' code (oawiles/X2Face, UnwrapMosaic): the embedding network,
a U-Net, warps source frames to one embedded face; the driving network, the
same without skips and with a bottleneck of 128 numbers, says where each pixel
of the driven face comes from in it. All NHWC.

The authors' code upsamples by PyTorch's bilinear mode, whose treatment of
corners changed between its versions; here it is that of the newer ones.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxheads.baselines.x2face.config import X2FaceModelConfig
from flaxheads.models.grid_sample import grid_sample, identity_grid
from flaxheads.models.precision import widen

_INIT = nn.initializers.xavier_normal()
# Of batch normalisation, as published: half as much motion, before anything is
# learned, as with scales of 1.
_LEAST_SCALE = 0.02
_LEAST_CONFIDENCE = 0.1  # added, so that no source counts nothing


def _init_scale(key, shape, dtype=jnp.float32):
  return jax.random.uniform(key, shape, dtype, _LEAST_SCALE, 1.0)


def _upsample(x):
  b, h, w, c = x.shape
  return jax.image.resize(x, (b, 2 * h, 2 * w, c), 'bilinear')


class UNet(nn.Module):
  """Down to one pixel by 4x4 convolutions of stride 2, and up again.

  Batch normalisation; its statistics are the collection 'batch_stats'.

  Attributes:
    out_channels: of the result.
    base_channels: of the first level; they double up to eight times that.
    bottleneck_channels: of the one pixel; None: as the level before.
    skips: whether each level on the way up sees that of the way down.
    axis_name: of the devices whose batches are normalised as one.
    dtype: of the arithmetic; parameters and statistics are float32.
  """

  out_channels: int
  base_channels: int
  bottleneck_channels: int | None = None
  skips: bool = True
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  def _convolve(self, features, size, stride=1):
    return nn.Conv(
      features,
      (size, size),
      stride,
      ((1, 1), (1, 1)),
      use_bias=False,
      dtype=self.dtype,
      kernel_init=_INIT,
    )

  @nn.compact
  def __call__(self, x, train: bool):
    def normalize(x):
      return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=1e-5,
        axis_name=self.axis_name,
        use_fast_variance=False,  # of few numbers: the last levels are tiny
        scale_init=_init_scale,
        dtype=self.dtype,
      )(x)

    num_levels = x.shape[1].bit_length() - 1  # log2: 8 for 256 pixels
    levels = [
      min(self.base_channels << i, 8 * self.base_channels)
      for i in range(num_levels)
    ]
    levels[-1] = self.bottleneck_channels or levels[-1]
    down = []
    for i, channels in enumerate(levels):
      x = nn.leaky_relu(x, 0.2) if i else x.astype(self.dtype)
      x = self._convolve(channels, 4, 2)(x)
      x = normalize(x) if 0 < i < num_levels - 1 else x
      down.append(x)
    for i in reversed(range(num_levels)):
      if self.skips and i < num_levels - 1:
        x = jnp.concatenate([x, down[i]], -1)
      features = levels[i - 1] if i else self.out_channels
      x = self._convolve(features, 3)(_upsample(nn.relu(x)))
      x = normalize(x) if i else x
    return widen(x)


class Embedding(NamedTuple):
  """What the embedding network makes of the sources.

  Attributes:
    face: the embedded face, float32 [B, S, S, 3] in [0, 1].
    confidence: weight of each source in it, float32 [B, K, S, S, 1].
  """

  face: jax.Array
  confidence: jax.Array


class X2Face(nn.Module):
  """Both networks.

  Attributes:
    base_channels: of the first level of both.
    bottleneck_channels: numbers that say what the driver does.
    axis_name: see UNet.
    dtype: see UNet.
  """

  base_channels: int = 64
  bottleneck_channels: int = 128
  axis_name: str | None = None
  dtype: jnp.dtype = jnp.float32

  def setup(self):
    common = {'axis_name': self.axis_name, 'dtype': self.dtype}
    self.embedder = UNet(3, self.base_channels, **common)
    self.driver = UNet(
      2, self.base_channels, self.bottleneck_channels, False, **common
    )

  def embed(self, sources, train: bool = False) -> Embedding:
    """Warps the sources to an embedded face, their weighted mean.

    Args:
      sources: [B, K, S, S, 3] in [-1, 1].
      train: whether batches normalise themselves.
    """
    b, k, size = sources.shape[:3]
    images = (widen(sources).reshape(b * k, size, size, 3) + 1) / 2
    found = self.embedder(images, train)  # [B * K, S, S, 3]
    grid = identity_grid(size, size) + jnp.tanh(found[..., :2])
    confidence = jnp.exp(found[..., 2:]) + _LEAST_CONFIDENCE
    warped = grid_sample(images, grid).reshape(b, k, size, size, 3)
    confidence = confidence.reshape(b, k, size, size, 1)
    face = (warped * confidence).sum(1) / confidence.sum(1)
    return Embedding(face, confidence)

  def drive(self, face, drivers, train: bool = False):
    """Moves an embedded face as the drivers do.

    Args:
      face: [B, S, S, 3] in [0, 1].
      drivers: [B, S, S, 3] in [-1, 1].
      train: whether batches normalise themselves.

    Returns:
      float32 [B, S, S, 3] in [-1, 1].
    """
    size = drivers.shape[1]
    # The published network ends in a tanh, and another one is put on it.
    found = self.driver((widen(drivers) + 1) / 2, train)
    moved = jnp.tanh(jnp.tanh(found))
    return grid_sample(face, identity_grid(size, size) + moved) * 2 - 1

  def __call__(self, sources, drivers, train: bool = False):
    """`drive` of the face that `embed` makes."""
    return self.drive(self.embed(sources, train).face, drivers, train)


def build_network(config: X2FaceModelConfig, axis_name=None) -> X2Face:
  """The module that `config` describes; for training, with the mesh's axis."""
  return X2Face(
    config.base_channels,
    config.bottleneck_channels,
    axis_name,
    jnp.dtype(config.dtype),
  )


def init_variables(config: X2FaceModelConfig, key: jax.Array) -> dict:
  """Fresh {'params', 'batch_stats'}."""
  image = jnp.zeros((1, config.image_size, config.image_size, 3))
  return dict(build_network(config).init(key, image[:, None], image))
