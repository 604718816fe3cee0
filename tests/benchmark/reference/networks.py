"""Embedder, generator and discriminator in PyTorch, NCHW."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrize

from flaxheads.config import ModelConfig
from flaxheads.models import sizes


class SpectralNorm(nn.Module):
  """A parametrization: weight / sigma, with u advanced by `advance` alone.

  torch's own advances u whenever the weight is read in training mode, several
  times an update.
  """

  def __init__(self, weight):
    super().__init__()
    u = F.normalize(torch.randn(len(weight)), dim=0)
    self.register_buffer('u', u)

  @torch.no_grad()
  def advance(self, weight):
    matrix = weight.flatten(1)
    v = F.normalize(self.u @ matrix, dim=0)
    self.u.copy_(F.normalize(matrix @ v, dim=0))

  def forward(self, weight):
    matrix = weight.flatten(1)
    with torch.no_grad():
      v = F.normalize(self.u @ matrix, dim=0)
    return weight / torch.linalg.vector_norm(matrix @ v)


def normalised_layers(network: nn.Module):
  """Yields (name, layer) of every layer whose weight is normalised."""
  for name, module in network.named_modules():
    if parametrize.is_parametrized(module, 'weight'):
      yield name, module


def advance(*networks: nn.Module) -> None:
  """One power iteration of every normalised layer."""
  for network in networks:
    for _, layer in normalised_layers(network):
      pair = layer.parametrizations.weight
      pair[0].advance(pair.original)


def fold(network: nn.Module) -> nn.Module:
  """Makes the normalised weights plain ones, for inference."""
  for _, layer in list(normalised_layers(network)):
    parametrize.remove_parametrizations(layer, 'weight')
  return network


def conv(channels, features, size=3):
  """A convolution that keeps height and width, normalised."""
  layer = nn.Conv2d(channels, features, size, padding=size // 2)
  norm = SpectralNorm(layer.weight)
  return parametrize.register_parametrization(layer, 'weight', norm)


class SelfAttention(nn.Module):
  """Non-local block with a gate that starts at zero."""

  def __init__(self, channels):
    super().__init__()
    inner = max(channels // 8, 1)
    self.query = conv(channels, inner, 1)
    self.key = conv(channels, inner, 1)
    self.value = conv(channels, channels, 1)
    self.gate = nn.Parameter(torch.zeros(()))

  def forward(self, x):
    query, key, value = (
      project(x).flatten(2).transpose(1, 2)[:, None]  # [B, 1, HW, C]
      for project in (self.query, self.key, self.value)
    )
    mixed = F.scaled_dot_product_attention(query, key, value, scale=1.0)
    return x + self.gate * mixed[:, 0].transpose(1, 2).reshape(x.shape)


class AdaIN(nn.Module):
  """Instance normalisation whose shift and scale are handed in."""

  def __init__(self, channels):
    super().__init__()
    self.channels = channels

  def forward(self, x, adain_params):
    shift, scale = adain_params[:, :, None, None].chunk(2, 1)
    return torch.addcmul(shift, F.instance_norm(x), 1 + scale)


class ResidualBlock(nn.Module):
  """(norm, ReLU, convolution) twice, plus a skip; see models/layers.py."""

  def __init__(
    self,
    channels,
    features,
    resample=None,
    norm=None,
    pre_activation=True,
    learned_skip=False,
  ):
    super().__init__()
    self.resample, self.pre_activation = resample, pre_activation
    self.norms = nn.ModuleList()
    if norm == 'instance':
      count = [channels, features] if pre_activation else [features]
      self.norms.extend(nn.InstanceNorm2d(c, affine=True) for c in count)
    elif norm == 'adain':
      self.norms.extend([AdaIN(channels), AdaIN(features)])
    self.first = conv(channels, features)
    self.second = conv(features, features)
    self.skip = None
    if learned_skip or resample or channels != features:
      self.skip = conv(channels, features, 1)

  def _normalise(self, index, x, adain_params):
    if not self.norms:
      return x
    norm = self.norms[index]
    return norm(x) if adain_params is None else norm(x, adain_params[index])

  def forward(self, x, adain_params=None):
    y = x
    if self.pre_activation:
      y = F.relu(self._normalise(0, y, adain_params))
    if self.resample == 'up':
      y = F.interpolate(y, scale_factor=2.0, mode='nearest')
    y = self.first(y)
    y = F.relu(self._normalise(-1, y, adain_params))
    y = self.second(y)
    if self.resample == 'down':
      y, x = F.avg_pool2d(y, 2), F.avg_pool2d(x, 2)
    if self.skip is not None:  # 1x1: run it when the picture is small
      x = self.skip(x)
    if self.resample == 'up':
      x = F.interpolate(x, scale_factor=2.0, mode='nearest')
    return y + x


class Trunk(nn.Module):
  """Down blocks to 4², attention at 32²; returns every block's output."""

  def __init__(self, config: ModelConfig):
    super().__init__()
    self.blocks, channels = nn.ModuleList(), 6
    for size in sizes.down_sizes(config.image_size, sizes.FINAL_SIZE):
      features = _channels(config, size)
      if size == sizes.FINAL_SIZE:
        features = config.embedding_size
      first = not self.blocks
      block = [ResidualBlock(channels, features, 'down', None, not first)]
      if size == sizes.attention_down_size(config.image_size):
        block.append(SelfAttention(features))
      self.blocks.append(nn.Sequential(*block))
      channels = features

  def forward(self, frames, landmark_images):
    x, outputs = torch.cat([frames, landmark_images], 1), []
    for block in self.blocks:
      x = block(x)
      outputs.append(x)
    return outputs


def _channels(config: ModelConfig, size):
  return sizes.channels_at(
    size, config.image_size, config.base_channels, config.max_channels
  )


def full(x):
  """In float32 at least: what autocast made smaller, and no more."""
  return x.to(torch.promote_types(x.dtype, torch.float32))


def _pool(x, order):
  if order == 'relu_sum':
    return full(F.relu(x)).sum((2, 3))
  return F.relu(full(x).sum((2, 3)))


class Embedder(nn.Module):
  """[B, 3, H, W] twice -> [B, N]."""

  def __init__(self, config: ModelConfig):
    super().__init__()
    self.trunk, self.pooling = Trunk(config), config.pooling

  def forward(self, frames, landmark_images):
    return _pool(self.trunk(frames, landmark_images)[-1], self.pooling)


class Discriminator(nn.Module):
  """Scores [B] and the features of every block."""

  def __init__(self, config: ModelConfig):
    super().__init__()
    n = config.embedding_size
    self.trunk, self.pooling = Trunk(config), config.pooling
    self.last = ResidualBlock(n, n, learned_skip=True)
    self.w0 = nn.Parameter(0.02 * torch.randn(n))
    self.b = nn.Parameter(torch.zeros(()))

  def forward(self, frames, landmark_images, rows, add_w0=True):
    outputs = self.trunk(frames, landmark_images)
    outputs.append(self.last(outputs[-1]))
    w = rows + self.w0 if add_w0 else rows
    vector = _pool(outputs[-1], self.pooling)
    return (vector * w).sum(-1) + self.b, outputs


class Generator(nn.Module):
  """G and its projection P: landmark images to frames in [-1, 1]."""

  def __init__(self, config: ModelConfig):
    super().__init__()
    self.downs, channels = nn.ModuleList(), 3
    for size in sizes.down_sizes(config.image_size, config.bottleneck_size):
      features, first = _channels(config, size), not self.downs
      block = [ResidualBlock(channels, features, 'down', 'instance', not first)]
      if size == sizes.attention_down_size(config.image_size):
        block.append(SelfAttention(features))
      self.downs.append(nn.Sequential(*block))
      channels = features
    self.residual = nn.ModuleList(
      ResidualBlock(channels, channels, norm='adain')
      for _ in range(config.num_residual_blocks)
    )
    self.ups, self.attention = nn.ModuleList(), nn.ModuleDict()
    at = sizes.attention_up_size(config.image_size, config.bottleneck_size)
    for size in sizes.up_sizes(config.image_size, config.bottleneck_size):
      features = _channels(config, size)
      self.ups.append(ResidualBlock(channels, features, 'up', 'adain'))
      if size == at:
        self.attention[str(len(self.ups) - 1)] = SelfAttention(features)
      channels = features
    self.last = AdaIN(channels)
    self.to_rgb = conv(channels, 3)
    blocks = [*self.residual, *self.ups]
    self.slices = [
      2 * norm.channels for block in blocks for norm in block.norms
    ] + [2 * channels]
    self.projection = nn.Linear(config.embedding_size, sum(self.slices))

  def forward(self, landmark_images, adain_params=None, embedding=None):
    if adain_params is None:
      adain_params = self.projection(embedding)
    slices = list(adain_params.split(self.slices, 1))
    x = landmark_images
    for block in self.downs:
      x = block(x)
    for block in self.residual:
      x = block(x, (slices.pop(0), slices.pop(0)))
    for index, block in enumerate(self.ups):
      x = block(x, (slices.pop(0), slices.pop(0)))
      if str(index) in self.attention:
        x = self.attention[str(index)](x)
    x = self.to_rgb(F.relu(self.last(x, slices.pop(0))))
    return torch.tanh(full(x))


class VGG(nn.Module):
  """A VGG to conv5_1; the ReLU outputs conv1_1, 2_1, ... 5_1.

  Args:
    depths: convolutions in each of the five blocks.
    convention: of the weights, flaxheads.weights.convention.
  """

  def __init__(self, depths, convention):
    super().__init__()
    self.bgr = convention.channels == 'BGR'
    self.low, self.high = convention.low, convention.high
    for name in ('mean', 'std'):
      value = torch.tensor(getattr(convention, name)).view(1, 3, 1, 1)
      self.register_buffer(name, value)
    self.blocks, channels = nn.ModuleList(), 3
    for depth, features in zip(depths, (64, 128, 256, 512, 512), strict=True):
      block = nn.ModuleList()
      for _ in range(depth):
        block.append(nn.Conv2d(channels, features, 3, padding=1))
        channels = features
      self.blocks.append(block)

  def forward(self, frames):
    x = frames.flip(1) if self.bgr else frames
    x = (x + 1) * ((self.high - self.low) / 2) + self.low
    x, features = (x - self.mean) / self.std, []
    for index, block in enumerate(self.blocks):
      x = F.max_pool2d(x, 2) if index else x
      for layer, convolution in enumerate(block):
        x = F.relu(convolution(x))
        if layer == 0:
          features.append(x)
    return features
