"""The generator G(y, psi): a landmark image to a frame, styled by AdaIN."""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from flaxheads.models import sizes
from flaxheads.models.layers import (
  Conv,
  InstanceNorm,
  ResidualBlock,
  SelfAttention,
  instance_norm,
)
from flaxheads.models.precision import widen


class AdaINSlices:
  """Hands out consecutive slices of the AdaIN parameters, one a layer.

  Every layer reads another slice: no two layers share mean and scale. Without
  parameters it only counts.
  """

  def __init__(self, adain_params=None):
    self.adain_params = adain_params
    self.used = 0

  def take(self, channels: int):
    """The normaliser of the next layer, which has `channels` channels."""
    start, middle = self.used, self.used + channels
    self.used = end = middle + channels
    if self.adain_params is None:
      return None
    shift = self.adain_params[:, start:middle]
    scale = self.adain_params[:, middle:end]
    # 1 + scale: an untrained projection is near zero and must not silence x.
    return lambda x: instance_norm(x, 1 + scale, shift)


def adain_layers(
  slices: AdaINSlices,
  channels: Callable[[int], int],
  num_residual_blocks: int,
  bottleneck_size: int,
  size: int,
):
  """The AdaIN normalisers of residual blocks at a bottleneck and up blocks.

  Args:
    slices: hands them out.
    channels: the channels at a resolution.
    num_residual_blocks: blocks at the bottleneck.
    bottleneck_size: resolution of these blocks.
    size: resolution of the last up block.

  Returns:
    Pairs for the residual blocks, pairs for the up blocks, the last.
  """
  c = channels(bottleneck_size)
  residual = [
    (slices.take(c), slices.take(c)) for _ in range(num_residual_blocks)
  ]
  ups = []
  for resolution in sizes.up_sizes(size, bottleneck_size):
    before, c = c, channels(resolution)
    ups.append((slices.take(before), slices.take(c)))
  return residual, ups, slices.take(c)


class Projection(nn.Module):
  """P, one linear map for all AdaIN layers: [B, N] -> float32 [B, M].

  Its matrix alone is not spectrally normalised, so it is no `kernel`. With a
  norm of 1 it kept psi below 0.03 while the embedding was small, and all people
  looked alike.
  """

  num_adain_params: int  # M

  @nn.compact
  def __call__(self, identity_embedding):
    shape = (identity_embedding.shape[-1], self.num_adain_params)
    matrix = self.param('matrix', nn.initializers.lecun_normal(), shape)
    bias = self.param('bias', nn.initializers.zeros, shape[1:])
    return identity_embedding @ matrix + bias


class Generator(nn.Module):
  """G with its projection P (Zakharov et al. 2019, section 3).

  Attributes:
    image_size: height and width, a power of two from 32 to 512.
    base_channels: channels after the first down block.
    max_channels: upper limit of channels.
    num_residual_blocks: blocks at the bottleneck.
    bottleneck_size: resolution of these blocks.
    dtype: of activations.
  """

  image_size: int = 256
  base_channels: int = 64
  max_channels: int = 512
  num_residual_blocks: int = 5
  bottleneck_size: int = 16
  dtype: jnp.dtype = jnp.float32

  def _channels(self, size):
    return sizes.channels_at(
      size, self.image_size, self.base_channels, self.max_channels
    )

  def _adain_layers(self, slices: AdaINSlices):
    return adain_layers(
      slices,
      self._channels,
      self.num_residual_blocks,
      self.bottleneck_size,
      self.image_size,
    )

  @property
  def num_adain_params(self) -> int:
    """M: a mean and a scale for every channel of every AdaIN layer."""
    slices = AdaINSlices()
    self._adain_layers(slices)
    return slices.used

  @nn.compact
  def __call__(
    self, landmark_images, adain_params=None, identity_embedding=None
  ):
    """Draws frames.

    Args:
      landmark_images: [B, H, W, 3] in [-1, 1].
      adain_params: float32 [B, M]: a fine-tuned psi', or None.
      identity_embedding: float32 [B, N]: where there is no psi', the AdaIN
        parameters are its projection psi = P e.

    Returns:
      float32 [B, H, W, 3] in [-1, 1].
    """
    if adain_params is None:
      adain_params = Projection(self.num_adain_params, name='projection')(
        identity_embedding
      )
    residual, ups, last = self._adain_layers(AdaINSlices(adain_params))
    x = landmark_images.astype(self.dtype)
    for size in sizes.down_sizes(self.image_size, self.bottleneck_size):
      first = size == self.image_size // 2
      x = ResidualBlock(
        self._channels(size),
        resample='down',
        norms=(InstanceNorm(), InstanceNorm()),
        pre_activation=not first,
        dtype=self.dtype,
      )(x)
      if size == sizes.attention_down_size(self.image_size):
        x = SelfAttention(dtype=self.dtype)(x)
    for norms in residual:
      x = ResidualBlock(x.shape[-1], norms=norms, dtype=self.dtype)(x)
    up_sizes = sizes.up_sizes(self.image_size, self.bottleneck_size)
    for size, norms in zip(up_sizes, ups, strict=True):
      x = ResidualBlock(
        self._channels(size), resample='up', norms=norms, dtype=self.dtype
      )(x)
      if size == sizes.attention_up_size(self.image_size, self.bottleneck_size):
        x = SelfAttention(dtype=self.dtype)(x)
    x = Conv(3, dtype=self.dtype, name='to_rgb')(nn.relu(last(x)))
    return jnp.tanh(widen(x))
