"""The reference networks in PyTorch with random weights, and how to compare.

torchvision, pytorch-fid and lpips bring their own; ArcFace's and VGGFace's
are written down here, with the names of their published weights.
"""

import pathlib

import numpy as np
import torch
from torch import nn

from flaxheads.models import pretrained
from flaxheads.weights import convert, store

LIMIT = 1e-4  # relative


def randomise(model, seed=0):
  """Random weights and statistics that keep activations in bounds."""
  generator = torch.Generator().manual_seed(seed)

  def draw(like, low, high):
    span = torch.rand(like.shape, generator=generator)
    return low + span * (high - low)

  with torch.no_grad():
    for module in model.modules():
      if isinstance(module, nn.Conv2d | nn.Linear):
        fan_in = module.weight[0].numel()
        noise = torch.randn(module.weight.shape, generator=generator)
        module.weight.copy_(noise * (2 / fan_in) ** 0.5)
        if module.bias is not None:
          module.bias.copy_(draw(module.bias, -0.1, 0.1))
      elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.weight.copy_(draw(module.weight, 0.5, 1.0))
        module.bias.copy_(draw(module.bias, -0.1, 0.1))
        module.running_mean.copy_(draw(module.running_mean, -0.2, 0.2))
        module.running_var.copy_(draw(module.running_var, 0.5, 2.0))
      elif isinstance(module, nn.PReLU):
        module.weight.copy_(draw(module.weight, 0.1, 0.4))
  return model.eval()


def calibrate(model, x):
  """Statistics of real activations, so that images differ in features."""
  for module in model.modules():
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
      module.momentum = 1.0
  with torch.no_grad():
    model.train()(x)
  return model.eval()


def save(model, path: pathlib.Path) -> pathlib.Path:
  """The model's weights as a publisher would give them."""
  torch.save(model.state_dict(), path)
  return path


def load_ours(name, files, folder):
  """Our network with a source's files, by way of launch.weights' own code."""
  output = folder / f'{name}.safetensors'
  source = convert.sources.SOURCES[name]
  like = pretrained.shapes_of(source.network)
  vouched = [convert.hash_file(str(file)) for file in files]
  convert.convert(name, files, output, like, vouched)
  weights = store.load(output, source.network, like)
  network = pretrained.make_network(source.network, weights.convention)
  return network, {'params': weights.params}


def to_torch(frames):
  """[B, H, W, C] to [B, C, H, W]."""
  return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))


def to_numpy(tensor):
  """[B, C, H, W] to [B, H, W, C]; other shapes as they are."""
  array = tensor.detach().numpy()
  return array.transpose(0, 2, 3, 1) if array.ndim == 4 else array


def frames_of(count, height, width, seed=0):
  """Float frames in [-1, 1]: smooth colours and noise."""
  rng = np.random.default_rng(seed)
  coarse = rng.uniform(-1, 1, (count, 4, 4, 3))
  rows = np.linspace(0, 3.99, height).astype(int)
  columns = np.linspace(0, 3.99, width).astype(int)
  frames = coarse[:, rows][:, :, columns]
  frames = frames + rng.normal(scale=0.2, size=frames.shape)
  # Not clipped: where two frames are equal, the sign of a difference of
  # features is rounding, and gradients of its absolute value differ.
  return np.tanh(frames).astype(np.float32)


def _error(ours, theirs):
  ours = np.asarray(ours, np.float64)
  theirs = np.asarray(theirs, np.float64)
  assert ours.shape == theirs.shape
  assert np.abs(theirs).max() > 0
  difference = np.abs(ours - theirs)
  largest = difference.max() / np.abs(theirs).max()
  return largest, np.linalg.norm(difference) / np.linalg.norm(theirs)


def check(what, ours, theirs, limit=LIMIT):
  """Asserts and prints the relative error: largest, and in the norm."""
  largest, norm = _error(ours, theirs)
  print(f'parity: {what:42} largest {largest:.1e}  norm {norm:.1e}')
  assert max(largest, norm) < limit, what


def check_differs(what, wrong, theirs):
  """A mistake made on purpose must be seen at ten times the limit."""
  largest, norm = _error(wrong, theirs)
  print(f'mistake: {what:41} largest {largest:.1e}  norm {norm:.1e}')
  assert largest > 10 * LIMIT, what


class _Block(nn.Module):
  """A residual block of arcface_torch, by its published names."""

  def __init__(self, before, channels, strides):
    super().__init__()
    self.bn1 = nn.BatchNorm2d(before)
    self.conv1 = nn.Conv2d(before, channels, 3, 1, 1, bias=False)
    self.bn2 = nn.BatchNorm2d(channels)
    self.prelu = nn.PReLU(channels)
    self.conv2 = nn.Conv2d(channels, channels, 3, strides, 1, bias=False)
    self.bn3 = nn.BatchNorm2d(channels)
    self.downsample = None
    if strides > 1:
      self.downsample = nn.Sequential(
        nn.Conv2d(before, channels, 1, strides, bias=False),
        nn.BatchNorm2d(channels),
      )

  def forward(self, x):
    y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
    shortcut = self.downsample(x) if self.downsample else x
    return self.bn3(self.conv2(y)) + shortcut


class IResNet(nn.Module):
  """Deng et al. 2019's embedding network as insightface trains it."""

  def __init__(self, depths):
    super().__init__()
    self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    self.bn1 = nn.BatchNorm2d(64)
    self.prelu = nn.PReLU(64)
    before = 64
    for stage, depth in enumerate(depths):
      channels = 64 << stage
      blocks = [_Block(before, channels, 2)]
      blocks += [_Block(channels, channels, 1) for _ in range(depth - 1)]
      setattr(self, f'layer{stage + 1}', nn.Sequential(*blocks))
      before = channels
    self.bn2 = nn.BatchNorm2d(512)
    self.fc = nn.Linear(512 * 7 * 7, 512)
    self.features = nn.BatchNorm1d(512)

  def forward(self, x):
    x = self.prelu(self.bn1(self.conv1(x)))
    for stage in range(1, 5):
      x = getattr(self, f'layer{stage}')(x)
    x = torch.flatten(self.bn2(x), 1)
    return self.features(self.fc(x))


class VGGFace(nn.Module):
  """Parkhi et al. 2015's network up to pool5, by the names of its layers."""

  DEPTHS = (2, 2, 3, 3, 3)

  def __init__(self):
    super().__init__()
    before = 3
    for block, depth in enumerate(self.DEPTHS, 1):
      channels = min(64 << (block - 1), 512)
      for layer in range(1, depth + 1):
        conv = nn.Conv2d(before, channels, 3, 1, 1)
        setattr(self, f'conv{block}_{layer}', conv)
        before = channels

  def forward(self, x):
    features = []
    for block, depth in enumerate(self.DEPTHS, 1):
      for layer in range(1, depth + 1):
        x = torch.relu(getattr(self, f'conv{block}_{layer}')(x))
        if layer == 1:
          features.append(x)
      x = nn.functional.max_pool2d(x, 2, 2)
    return features
