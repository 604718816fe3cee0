"""The projection discriminator D(x, y, i)."""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from flaxheads.models.embedder import Trunk, pool
from flaxheads.models.layers import ResidualBlock


class DiscriminatorOutput(NamedTuple):
  """Outputs of D for a batch.

  Attributes:
    score: float32 [B], realism, unbounded: there is no sigmoid, the loss is a
      hinge.
    features: outputs of the residual blocks, finest first, for L_FM.
    vector: V(x, y), float32 [B, N].
    other_scores: of the frames as other people, float32 [B, M]; -inf where a
      pair does not count. None: not computed.
  """

  score: jnp.ndarray
  features: list
  vector: jnp.ndarray | None = None
  other_scores: jnp.ndarray | None = None


class Discriminator(nn.Module):
  """D: the embedder's trunk, one more block at 4², and the projection.

  r = V(x, y)^T (W_i + w0) + b (Zakharov et al. 2019, section 3.2). The rows
  W_i come from outside: in meta-training from the identity table, in
  fine-tuning w' = w0 + e takes the place of the whole sum.

  Attributes: as Embedder.
  """

  image_size: int = 256
  base_channels: int = 64
  max_channels: int = 512
  embedding_size: int = 512
  pooling: str = 'sum_relu'
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(
    self, frames, landmark_images, rows, add_w0=True
  ) -> DiscriminatorOutput:
    """Scores frames.

    Args:
      frames: [B, H, W, 3] in [-1, 1].
      landmark_images: [B, H, W, 3] in [-1, 1].
      rows: float32 [B, N]: W_i; or w', with add_w0=False.
      add_w0: whether the common vector w0 is added to `rows`.

    Returns:
      DiscriminatorOutput.
    """
    outputs = Trunk(
      self.image_size,
      self.base_channels,
      self.max_channels,
      self.embedding_size,
      self.dtype,
      name='trunk',
    )(frames, landmark_images)
    last = ResidualBlock(
      self.embedding_size, learned_skip=True, dtype=self.dtype
    )(outputs[-1])
    v = pool(last, self.pooling)  # [B, N]
    # A vector of length 1 on average, as the lab's spectral norm makes it.
    spread = self.embedding_size**-0.5
    w0 = self.param(
      'w0', nn.initializers.normal(spread), (self.embedding_size,)
    )
    b = self.param('b', nn.initializers.zeros, ())
    w = rows + w0 if add_w0 else rows
    return DiscriminatorOutput((v * w).sum(-1) + b, [*outputs, last], v)
