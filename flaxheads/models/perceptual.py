"""Content networks: VGG19 and VGGFace (VGG16) to conv5_1, VGG16 to conv4_1.

The conversion from [-1, 1] RGB to what the weights were trained on is part of
the network and follows the convention that the weight file carries, so that a
wrong scale or channel order cannot happen outside.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxheads.models.normalisation import prepare
from flaxheads.models.resampling import max_pool
from flaxheads.weights import convention as conventions
from flaxheads.weights.convention import Convention

_VGG19_DEPTHS = (2, 2, 4, 4, 1)  # convolutions used of each block
_VGGFACE_DEPTHS = (2, 2, 3, 3, 1)
_VGG16_DEPTHS = (2, 2, 3, 1)
_CHANNELS = (64, 128, 256, 512, 512)


@jax.custom_vjp
def relu(x):
  """ReLU whose gradient asks its result: what went in need not be kept."""
  return jnp.maximum(x, 0)


def _relu_forward(x):
  y = relu(x)
  return y, y


def _relu_backward(y, cotangent):
  return (jnp.where(y > 0, cotangent, 0),)


relu.defvjp(_relu_forward, _relu_backward)


class VGG(nn.Module):
  """A VGG; returns the first ReLU output of every block: conv1_1, 2_1, ...

  Attributes:
    depths: convolutions in each of the blocks, at most five.
    convention: what the weights want to see.
    dtype: of activations.
    pool: between the blocks; the weights were trained with max_pool.
  """

  depths: tuple[int, ...]
  convention: Convention
  dtype: jnp.dtype = jnp.float32
  pool: Callable = max_pool

  @nn.compact
  def __call__(self, frames) -> list:
    """Extracts features.

    Args:
      frames: [B, H, W, 3], RGB in [-1, 1].

    Returns:
      An array for each block, [B, H / 2^i, W / 2^i, C_i], after ReLU.
    """
    x = prepare(frames, self.convention)
    features = []
    for block, depth in enumerate(self.depths):
      for layer in range(depth):
        name = f'conv{block + 1}_{layer + 1}'
        conv = nn.Conv(
          _CHANNELS[block],
          (3, 3),
          dtype=self.dtype,
          name=name,
          kernel_init=nn.initializers.he_normal(),
        )
        x = relu(conv(x))
        if layer == 0:
          features.append(x)
      if block < len(self.depths) - 1:
        x = self.pool(x)
    return features


def vgg19(convention=conventions.CAFFE_VGG, dtype=jnp.float32) -> VGG:
  """VGG19 of the object content loss."""
  return VGG(_VGG19_DEPTHS, convention, dtype)


def vggface(convention=conventions.CAFFE_VGGFACE, dtype=jnp.float32) -> VGG:
  """VGGFace (VGG16) of the face content loss."""
  return VGG(_VGGFACE_DEPTHS, convention, dtype)


def vgg16(convention=conventions.TORCHVISION, dtype=jnp.float32) -> VGG:
  """VGG16 with torchvision's weights, which anybody may use."""
  return VGG(_VGG16_DEPTHS, convention, dtype)
