"""Content networks: VGG19 and VGGFace (VGG16) up to conv5_1.

Both follow the Caffe convention: BGR, 0..255, the training set's mean
subtracted. The conversion from [-1, 1] RGB is part of the network, so that a
wrong scale or channel order cannot happen outside.
"""

import flax.linen as nn
import jax.numpy as jnp

VGG19_MEAN = (103.939, 116.779, 123.68)  # BGR, ImageNet
VGGFACE_MEAN = (93.5940, 104.7624, 129.1863)  # BGR, VGGFace

_VGG19_DEPTHS = (2, 2, 4, 4, 1)  # convolutions used of each block
_VGG16_DEPTHS = (2, 2, 3, 3, 1)
_CHANNELS = (64, 128, 256, 512, 512)


def caffe_input(frames, mean):
  """RGB in [-1, 1] to BGR in 0..255 less the mean: [B, H, W, 3]."""
  bgr = frames[..., ::-1]
  return (bgr + 1) * 127.5 - jnp.asarray(mean, frames.dtype)


class VGG(nn.Module):
  """A VGG to conv5_1; returns the ReLU outputs conv1_1, 2_1, ... 5_1.

  Attributes:
    depths: convolutions in each of the five blocks.
    mean: BGR mean of the training set, in 0..255.
    dtype: of activations.
  """

  depths: tuple[int, ...]
  mean: tuple[float, float, float]
  dtype: jnp.dtype = jnp.float32

  @nn.compact
  def __call__(self, frames) -> list:
    """Extracts features.

    Args:
      frames: [B, H, W, 3], RGB in [-1, 1].

    Returns:
      Five arrays, [B, H / 2^i, W / 2^i, C_i], after ReLU.
    """
    x = caffe_input(frames.astype(jnp.float32), self.mean)
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
        x = nn.relu(conv(x))
        if layer == 0:
          features.append(x)
      if block < 4:
        x = nn.max_pool(x, (2, 2), (2, 2))
    return features


def vgg19(dtype=jnp.float32) -> VGG:
  """VGG19 of the object content loss."""
  return VGG(_VGG19_DEPTHS, VGG19_MEAN, dtype)


def vggface(dtype=jnp.float32) -> VGG:
  """VGGFace (VGG16) of the face content loss."""
  return VGG(_VGG16_DEPTHS, VGGFACE_MEAN, dtype)
