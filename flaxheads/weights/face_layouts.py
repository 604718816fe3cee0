"""Parameter layouts of published face identity networks: dlib's, SFace."""

import numpy as np

from flaxheads.weights.contents import Contents
from flaxheads.weights.layouts import LayoutError, affine, fold, to_hwio

# Of dlib's blocks, from the input on: 'down' halves the resolution.
DLIB_BLOCKS = (
  'conv32_1', 'conv32_2', 'conv32_3',
  'conv64_down', 'conv64_1', 'conv64_2', 'conv64_3',
  'conv128_down', 'conv128_1', 'conv128_2',
  'conv256_down', 'conv256_1', 'conv256_2', 'conv256_down_out',
)  # fmt: skip
SFACE_LAYERS = 14
_FEATURE_CHANNELS, _FEATURE_SIZE = 1024, 7


def _take(tensors, name):
  if name not in tensors:
    raise LayoutError(f'tensor {name} is missing')
  return tensors[name]


def dlib_resnet(contents: Contents) -> dict:
  """Dlib's layers, numbered from the input on: affine behind convolution."""
  t, number = contents.tensors, 0

  def conv():
    nonlocal number
    kernel = to_hwio(_take(t, f'{number}/weight'))
    bias = _take(t, f'{number}/bias')
    scale = _take(t, f'{number + 1}/weight')
    offset = _take(t, f'{number + 1}/bias')
    number += 2
    return fold(kernel, bias, scale, offset)

  tree = {'conv32_down': conv()}
  for name in DLIB_BLOCKS:
    tree[name] = {'conv1': conv(), 'conv2': conv()}
  tree['fc'] = {'kernel': _take(t, f'{number}/weight')}
  if f'{number + 1}/weight' in t:
    raise LayoutError('more layers follow: it is a deeper network')
  return tree


def _check_input(contents: Contents, mean: float, scale: float) -> None:
  """That the graph itself takes off `mean`, then multiplies by `scale`."""
  given = [
    float(_take(contents.tensors, node.inputs[1]).item())
    for node in contents.nodes
    if node.op in ('Sub', 'Mul')
  ]
  if given != [mean, scale]:
    raise LayoutError(f'its input is changed by {given}, not {[mean, scale]}')


def sface(contents: Contents, mean: float, std: float) -> dict:
  """SFace from the graph of OpenCV's model zoo, by the names of its tensors.

  Args:
    contents: of the ONNX file.
    mean: what the graph takes off its input; the convention does it here.
    std: what it then divides by.
  """
  _check_input(contents, mean, 1 / std)
  t = contents.tensors
  epsilon = {
    node.output: node.attributes.get('epsilon', 1e-5)
    for node in contents.nodes
    if node.op == 'BatchNormalization'
  }

  def norm(name, prefix):
    parts = ('gamma', 'beta', 'moving_mean', 'moving_var')
    return affine(
      *(_take(t, f'{prefix}_{part}') for part in parts), epsilon.get(name, 1e-5)
    )

  def layer(name):
    kernel = to_hwio(_take(t, f'{name}_conv2d_weight_reshaped'))
    slope = _take(t, f'{name}_relu_gamma').reshape(-1)
    scale, offset = norm(f'{name}_batchnorm', f'{name}_batchnorm')
    return {**fold(kernel, 0.0, scale, offset), 'slope': slope}

  tree = {'conv_1': layer('conv_1')}
  for i in range(2, SFACE_LAYERS + 1):
    tree[f'conv_{i}_dw'] = layer(f'conv_{i}_dw')
    tree[f'conv_{i}'] = layer(f'conv_{i}')
  tree['fc'] = _sface_dense(
    _take(t, 'pre_fc1_weight_dequantized'),
    _take(t, 'pre_fc1_bias_dequantized').reshape(-1),
    norm('bn1', 'bn1'),
    norm('fc1', 'fc1'),
  )
  return tree


def _sface_dense(weight, bias, before, after) -> dict:
  """The dense layer with the normalisations before and behind it."""
  size = _FEATURE_SIZE
  if weight.ndim != 2 or weight.shape[1] != _FEATURE_CHANNELS * size**2:
    raise LayoutError(f'pre_fc1 has shape {weight.shape}')
  kernel = weight.reshape(len(weight), _FEATURE_CHANNELS, size, size)
  kernel = kernel.transpose(2, 3, 1, 0).astype(np.float64)  # [7, 7, C, out]
  scale, offset = before
  if scale.shape != (_FEATURE_CHANNELS,):
    raise LayoutError(f'bn1 has {scale.shape} numbers')
  # No padding lies between, so the map before it can be folded too.
  bias = bias + np.einsum('hwco,c->o', kernel, offset)
  kernel = (kernel * scale[:, None]).reshape(-1, len(weight))
  return fold(kernel, bias, *after)
