"""The bi-layer generator: the photograph's own pixels, and new ones.

A head mesh warps the photograph to the target pose. A small U-Net looks at the
window about the face and returns new colours, a mask and a correction of the
warp:

  x̂ = m * sample(photograph, warp + flow) + (1 - m) * rgb

after Zakharov et al. 2020, "Fast Bi-layer Neural Synthesis of One-Shot
Realistic Head Avatars"; window, mesh and priors are ours. Mask and flow start
at zero, so that an untrained generator shows the warped photograph.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from flaxheads.landmarks.head_warp import WarpField, sample_bilinear
from flaxheads.models import sizes
from flaxheads.models.generator import AdaINSlices, Projection, adain_layers
from flaxheads.models.layers import Conv, InstanceNorm, ResidualBlock, no_norm
from flaxheads.models.precision import widen

# E is not spectrally normalised here: its sum over space is of the order of
# 10, and W, which ê is matched with, starts below 0.1.
EMBEDDING_SCALE = 0.01
NUM_FEATURES = 13  # of `window_features`
_STEM_CHANNELS = 12
_MASK_PRIOR = 2.0  # logit: where nothing else is known, 88 % photograph
_OPENED_PRIOR = 3.0  # less in a mouth opened from a closed one
_UNSEEN_PRIOR = 2.0  # less where the photograph does not show the place
_RIM = 8  # pixels over which the window fades into the warp about it
_FLOW_RANGE = 2.0  # of the flow's feature, in eighths of the window


class BilayerOutput(NamedTuple):
  """What the generator adds to the warp, in the window.

  Attributes:
    rgb: float32 [B, n, n, 3], new colours in [-1, 1].
    mask_logit: float32 [B, n, n, 1], above the prior of `composite`.
    flow: float32 [B, n, n, 2], (x, y) pixels added to the warp.
  """

  rgb: jax.Array
  mask_logit: jax.Array
  flow: jax.Array


class Composite(NamedTuple):
  """A window put together.

  Attributes:
    frame: x̂, float32 [B, n, n, 3] in [-1, 1].
    mask: m, float32 [B, n, n, 1]: the photograph's share.
    flow: float32 [B, n, n, 2], pixels; zero at the window's edge.
  """

  frame: jax.Array
  mask: jax.Array
  flow: jax.Array


class BilayerGenerator(nn.Module):
  """U-Net styled by AdaIN at its bottleneck and on its way up.

  Attributes:
    window_size: n, the bottleneck's size times a power of two.
    base_channels: channels of the finest level.
    max_channels: upper limit of channels.
    num_residual_blocks: blocks at the bottleneck.
    bottleneck_size: resolution of these blocks.
    max_flow: the largest correction of the warp, as a share of the window.
    dtype: of activations.
  """

  window_size: int = 80
  base_channels: int = 24
  max_channels: int = 128
  num_residual_blocks: int = 3
  bottleneck_size: int = 10
  max_flow: float = 0.08
  dtype: jnp.dtype = jnp.float32

  def _channels(self, size):
    return sizes.channels_at(
      size, self.window_size, self.base_channels, self.max_channels
    )

  def _adain_layers(self, slices: AdaINSlices):
    return adain_layers(
      slices,
      self._channels,
      self.num_residual_blocks,
      self.bottleneck_size,
      self.window_size,
    )

  @property
  def num_adain_params(self) -> int:
    """M: a mean and a scale for every channel of every AdaIN layer."""
    slices = AdaINSlices()
    self._adain_layers(slices)
    return slices.used

  @nn.compact
  def __call__(
    self, features, warped, adain_params=None, identity_embedding=None
  ) -> BilayerOutput:
    """Generates what the warp lacks.

    Args:
      features: float [B, n, n, NUM_FEATURES], of `window_features`.
      warped: float [B, n, n, 3] in [-1, 1], the photograph as warped.
      adain_params: float32 [B, M]: psi, or None.
      identity_embedding: float32 [B, N]: where there is no psi, it is the
        projection P ê.
    """
    if adain_params is None:
      adain_params = Projection(self.num_adain_params, name='projection')(
        identity_embedding
      )
    residual, ups, last = self._adain_layers(AdaINSlices(adain_params))
    x = features.astype(self.dtype)
    stem = nn.relu(Conv(_STEM_CHANNELS, dtype=self.dtype, name='stem')(x))
    skips = {self.window_size: stem}
    x = jnp.concatenate([x, stem], -1)
    for size in sizes.down_sizes(self.window_size, self.bottleneck_size):
      first = size == self.window_size // 2
      norm = no_norm if first else InstanceNorm()
      x = ResidualBlock(
        self._channels(size),
        resample='down',
        norms=(norm, norm if first else InstanceNorm()),
        pre_activation=not first,
        dtype=self.dtype,
      )(x)
      skips[size] = x
    for norms in residual:
      x = ResidualBlock(x.shape[-1], norms=norms, dtype=self.dtype)(x)
    up_sizes = sizes.up_sizes(self.window_size, self.bottleneck_size)
    for size, norms in zip(up_sizes, ups, strict=True):
      channels = self._channels(size)
      x = ResidualBlock(channels, resample='up', norms=norms, dtype=self.dtype)(
        x
      )
      skip = Conv(channels, 1, dtype=self.dtype, name=f'skip_{size}')
      x = x + skip(skips[size])
    x = jnp.concatenate([nn.relu(last(x)), stem, warped.astype(x.dtype)], -1)
    return self._heads(x, widen(warped))

  def _heads(self, x, warped) -> BilayerOutput:
    rgb = widen(Conv(3, dtype=self.dtype, name='to_rgb')(x))
    zeros = nn.initializers.zeros
    mask_and_flow = widen(
      nn.Conv(
        3, (3, 3), dtype=self.dtype, kernel_init=zeros, name='to_mask_and_flow'
      )(x)
    )
    limit = self.max_flow * self.window_size
    return BilayerOutput(
      jnp.tanh(0.5 * warped + rgb),
      mask_and_flow[..., :1],
      # A head that starts at zero moves slowly: a step counts four times.
      limit * jnp.tanh(mask_and_flow[..., 1:] * (4 / limit)),
    )


def pixel_centres(size: int, origin):
  """Centres of a window's pixels, (x, y) in pixels of the image.

  Args:
    size: n, of the window.
    origin: float [B, 2], its upper left corner.

  Returns:
    float32 [B, n, n, 2].
  """
  centres = jnp.arange(size, dtype=jnp.float32) + 0.5
  grid = jnp.stack(jnp.meshgrid(centres, centres), -1)
  return grid + origin[:, None, None]


def window_features(landmark_images, warped, field: WarpField, origin):
  """What the generator sees of a window.

  Args:
    landmark_images: [B, n, n, 3] in [-1, 1], the target's, in the window.
    warped: [B, n, n, 3] in [-1, 1].
    field: WarpField of the window, with B in front.
    origin: [B, 2], of the window.

  Returns:
    float32 [B, n, n, NUM_FEATURES]: landmarks, warped pixels, labels of mouth,
    eyes and background, stretch, seen, and the warp's flow without its mean.
  """
  size = warped.shape[1]
  flow = field.xy - pixel_centres(size, origin)
  flow = (flow - flow.mean((1, 2), keepdims=True)) * (8 / size)
  return jnp.concatenate(
    [
      landmark_images,
      warped,
      field.labels,
      field.log_stretch,
      field.seen,
      jnp.clip(flow, -_FLOW_RANGE, _FLOW_RANGE),
    ],
    -1,
  )


def _rim(size):
  """1 inside of a window, falling to 0 at its edge: [n, n, 1]."""
  place = jnp.arange(size) + 0.5
  edge = jnp.clip(jnp.minimum(place, size - place) / _RIM, 0, 1)
  return (edge[:, None] * edge[None, :])[..., None]


def _enlarged(field):
  """From 0 to 1 where the photograph is enlarged by 2.3 or more: [B, n, n, 1].

  So are the few pixels of a mouth that was opened from a closed one.
  """
  return jnp.clip(-field.log_stretch - 0.2, 0, 1)


def prior_logit(field: WarpField):
  """The mask before anything is learned: [B, n, n, 1].

  Low where the photograph can not have the pixels: in a mouth that was opened
  from a closed one, whose few pixels are stretched, and in what it does not
  show. Continuous, so that no edge of a triangle shows.
  """
  return (
    _MASK_PRIOR
    - _OPENED_PRIOR * field.labels[..., :1] * _enlarged(field)
    - _UNSEEN_PRIOR * (1 - field.seen)
  )


def mask_and_flow(field: WarpField, output: BilayerOutput):
  """Mask and flow of a `Composite`.

  The window's edge is the warp alone. So is the inside of a mouth that the
  photograph shows as wide open: a person's own teeth are better than new ones.

  Args:
    field: WarpField of the window, with B in front.
    output: of the generator.
  """
  rim = _rim(output.rgb.shape[1])
  new = 1 - jax.nn.sigmoid(output.mask_logit + prior_logit(field))
  mouth = field.labels[..., :1]
  inside = mouth.sum((1, 2, 3), keepdims=True)
  # One share for all of a mouth, for its triangles are enlarged unequally.
  shown = (mouth * (1 - _enlarged(field))).sum((1, 2, 3), keepdims=True)
  own = mouth * shown / jnp.maximum(inside, 1e-6)
  return 1 - new * (1 - own) * rim, output.flow * rim


def composite(photograph, field: WarpField, output: BilayerOutput) -> Composite:
  """Puts a window together.

  Args:
    photograph: float [B, H, W, 3] in [-1, 1].
    field: WarpField of the window, with B in front.
    output: of the generator.

  Returns:
    Composite.
  """
  mask, flow = mask_and_flow(field, output)
  moved = sample_bilinear(photograph, field.xy + flow)
  return Composite(mask * moved + (1 - mask) * output.rgb, mask, flow)
