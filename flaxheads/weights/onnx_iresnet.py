"""Reads ArcFace from an ONNX graph whose tensors are folded and unnamed.

Exporters fold most batch normalisations into the convolutions before them and
number what comes out, so the graph is walked: what a tensor is follows from
where it is used.
"""

import numpy as np

from flaxheads.weights.contents import Contents
from flaxheads.weights.layouts import (
  LayoutError,
  affine,
  fold,
  to_dense,
  to_hwio,
)


class _Graph:
  """Who uses which tensor of an ONNX graph."""

  def __init__(self, contents: Contents):
    self._tensors = contents.tensors
    self._users = {}
    for node in contents.nodes:
      for name in node.inputs:
        self._users.setdefault(name, []).append(node)

  def find(self, x, op):
    """The only node of type `op` that uses tensor `x`, or None."""
    found = [n for n in self._users.get(x, ()) if n.op == op]
    return found[0] if len(found) == 1 else None

  def follow(self, x, op):
    """Like `find`, but it must be there."""
    node = self.find(x, op)
    if node is None:
      raise LayoutError(f'behind tensor {x!r} there is no {op}')
    return node

  def weights(self, node, *numbers):
    """The constant inputs of a node, by their positions."""
    try:
      return [self._tensors[node.inputs[i]] for i in numbers]
    except (IndexError, KeyError):
      raise LayoutError(f'a {node.op} does not hold its weights') from None

  def _affine(self, node):
    epsilon = node.attributes.get('epsilon', 1e-5)
    return affine(*self.weights(node, 1, 2, 3, 4), epsilon)

  def norm(self, x):
    """A normalisation that stands alone: its parameters and output."""
    node = self.follow(x, 'BatchNormalization')
    scale, bias = (v.astype(np.float32) for v in self._affine(node))
    return {'scale': scale, 'bias': bias}, node.output

  def _folded(self, kernel, bias, node):
    behind = self.find(node.output, 'BatchNormalization')
    if behind is None:
      ones = np.ones(kernel.shape[-1])
      return fold(kernel, bias, ones, 0 * ones), node.output
    return fold(kernel, bias, *self._affine(behind)), behind.output

  def conv(self, x, strides):
    """A convolution and what is folded into it: parameters and output."""
    node = self.follow(x, 'Conv')
    given = node.attributes.get('strides', [1, 1])
    if list(given) != [strides, strides]:
      raise LayoutError(f'a Conv has strides {list(given)}, not {strides}')
    kernel = to_hwio(self.weights(node, 1)[0])
    bias = self.weights(node, 2)[0] if len(node.inputs) > 2 else 0.0
    return self._folded(kernel, bias, node)

  def prelu(self, x):
    """A PReLU: its slopes and output."""
    node = self.follow(x, 'PRelu')
    return {'slope': self.weights(node, 1)[0].reshape(-1)}, node.output

  def dense(self, x):
    """The last layer and what is folded into it: parameters and output."""
    node = self.follow(x, 'Gemm')
    weight, bias = self.weights(node, 1, 2)
    attributes = node.attributes
    if attributes.get('alpha', 1) != 1 or attributes.get('beta', 1) != 1:
      raise LayoutError('the Gemm scales its inputs')
    weight = weight if attributes.get('transB') else weight.T
    return self._folded(to_dense(weight), bias, node)


def _block(graph, x, first):
  block = {}
  block['bn1'], y = graph.norm(x)
  block['conv1'], y = graph.conv(y, 1)
  block['prelu'], y = graph.prelu(y)
  block['conv2'], y = graph.conv(y, 1 + first)
  if first:
    block['downsample'], x = graph.conv(x, 2)
  add = graph.follow(y, 'Add')
  if set(add.inputs) != {x, y}:
    raise LayoutError('an Add does not join a block and its shortcut')
  return block, add.output


def iresnet(contents: Contents, depths) -> dict:
  """Walks the graph of an iResNet.

  Args:
    contents: of an ONNX file.
    depths: residual blocks of the four stages.

  Returns:
    The parameter tree.

  Raises:
    LayoutError: the graph is another network.
  """
  if len(contents.inputs) != 1:
    raise LayoutError(f'the graph has {len(contents.inputs)} inputs, not 1')
  graph = _Graph(contents)
  tree = {}
  tree['conv1'], x = graph.conv(contents.inputs[0], 1)
  tree['prelu'], x = graph.prelu(x)
  for stage, depth in enumerate(depths, 1):
    for i in range(depth):
      tree[f'layer{stage}_{i}'], x = _block(graph, x, i == 0)
  tree['bn2'], x = graph.norm(x)
  x = graph.follow(x, 'Flatten').output
  tree['fc'], x = graph.dense(x)
  return tree
