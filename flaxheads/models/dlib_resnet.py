"""dlib's face identity network, a ResNet with 29 convolutions.

King, "High Quality Face Recognition with Deep Metric Learning", 2017
(blog.dlib.net), in the form of dlib's dnn_face_recognition_ex.cpp. Its affine
layers stand in the kernels and biases, where the conversion put them.
"""

import flax.linen as nn
import jax.numpy as jnp

from flaxheads.models.normalisation import prepare
from flaxheads.models.precision import HIGHEST, precise_conv
from flaxheads.weights import convention as conventions
from flaxheads.weights import face_layouts
from flaxheads.weights.convention import Convention

INPUT_SIZE = 150
NUM_FEATURES = 128


def _fill(x, shape):
  """Zeros behind the rows, columns and channels that `x` lacks."""
  return jnp.pad(
    x,
    [(0, wanted - have) for wanted, have in zip(shape, x.shape, strict=True)],
  )


class _Block(nn.Module):
  """relu(conv2(relu(conv1(x))) + x), at half the resolution if `down`.

  The shortcut of a block that halves is an average pool. Where the sizes of
  the two differ, dlib's add_prev fills the smaller one with zeros.
  """

  channels: int
  down: bool

  @nn.compact
  def __call__(self, x):
    strides, padding = (2, 'VALID') if self.down else (1, 1)
    y = nn.relu(precise_conv(self.channels, 3, strides, padding, 'conv1')(x))
    y = precise_conv(self.channels, 3, 1, 1, 'conv2')(y)
    if self.down:
      x = nn.avg_pool(x, (2, 2), (2, 2))
      shape = tuple(map(max, x.shape, y.shape))
      x, y = _fill(x, shape), _fill(y, shape)
    return nn.relu(x + y)


class DlibResNet(nn.Module):
  """An embedding of aligned faces; its L2 distances tell people apart.

  Attributes:
    convention: what the weights want to see.
  """

  convention: Convention = conventions.DLIB

  @nn.compact
  def __call__(self, frames):
    """Embeds faces.

    Args:
      frames: float [B, 150, 150, 3], RGB in [-1, 1], aligned by
        metrics.identity.DLIB.

    Returns:
      float32 [B, 128], not normalised.
    """
    x = prepare(frames, self.convention)
    x = nn.relu(precise_conv(32, 7, 2, 'VALID', 'conv32_down')(x))
    x = nn.max_pool(x, (3, 3), (2, 2))
    for name in face_layouts.DLIB_BLOCKS:
      channels = int(name.split('_')[0].removeprefix('conv'))
      x = _Block(channels, 'down' in name, name=name)(x)
    x = x.mean((1, 2))
    return nn.Dense(NUM_FEATURES, use_bias=False, precision=HIGHEST, name='fc')(
      x
    )
