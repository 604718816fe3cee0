"""The embedder E(x, y): a frame and its landmark image to one vector."""

import flax.linen as nn
import jax.numpy as jnp

from flaxheads.models import sizes
from flaxheads.models.layers import ResidualBlock, SelfAttention
from flaxheads.models.precision import wide


class Trunk(nn.Module):
  """Residual down blocks to 4², self-attention at 32², no normalisation.

  Shared by E and D (with parameters of their own). Returns the output of
  every block, finest first.
  """

  image_size: int
  base_channels: int
  max_channels: int
  last_channels: int  # of the block at 4²: N
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, frames, landmark_images) -> list:
    x = jnp.concatenate([frames, landmark_images], -1)  # [B, H, W, 6]
    x = x.astype(self.dtype)
    outputs = []
    for size in sizes.down_sizes(self.image_size, sizes.FINAL_SIZE):
      features = sizes.channels_at(
        size, self.image_size, self.base_channels, self.max_channels
      )
      if size == sizes.FINAL_SIZE:
        features = self.last_channels
      x = ResidualBlock(
        features,
        resample='down',
        pre_activation=bool(outputs),
        dtype=self.dtype,
      )(x)
      if size == sizes.attention_down_size(self.image_size):
        x = SelfAttention(dtype=self.dtype)(x)
      outputs.append(x)
    return outputs


def pool(x, order: str):
  """Sum over space and ReLU, in float32: [B, H, W, C] -> [B, C].

  A mean or a maximum would change the scale of the embedding, and with it
  L_MCH and P.

  Args:
    x: [B, H, W, C].
    order: 'sum_relu', as the paper says ("global sum pooling over spatial
      dimensions followed by ReLU"), or 'relu_sum', as in the authors' lab
      code.
  """
  if order == 'relu_sum':
    return nn.relu(x).sum((1, 2), dtype=wide(x.dtype))
  return nn.relu(x.sum((1, 2), dtype=wide(x.dtype)))


class Embedder(nn.Module):
  """E: identity embedding of one frame (Zakharov et al. 2019, section 3).

  Attributes:
    image_size: height and width of the frames, a power of two from 32 to 512.
    base_channels: channels after the first block.
    max_channels: upper limit of channels.
    embedding_size: N.
    pooling: order of sum and ReLU; see `pool`.
    dtype: of activations.
  """

  image_size: int = 256
  base_channels: int = 64
  max_channels: int = 512
  embedding_size: int = 512
  pooling: str = 'sum_relu'
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, frames, landmark_images):
    """Embeds frames.

    Args:
      frames: [B, H, W, 3] in [-1, 1].
      landmark_images: [B, H, W, 3] in [-1, 1].

    Returns:
      float32 [B, N], not negative. Average over the frames of a person.
    """
    outputs = Trunk(
      self.image_size,
      self.base_channels,
      self.max_channels,
      self.embedding_size,
      self.dtype,
      name='trunk',
    )(frames, landmark_images)
    return pool(outputs[-1], self.pooling)
