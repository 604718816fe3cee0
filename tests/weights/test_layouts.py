"""Published names and axes become ours; nothing is lost or mistaken."""

import jax
import numpy as np
import pytest

from flaxheads.models import pretrained
from flaxheads.weights import layouts, onnx_iresnet, sources, tensors
from flaxheads.weights.contents import Contents, Node
from tests.weights import published

VGG16, VGG19 = layouts.VGG16_DEPTHS, layouts.VGG19_DEPTHS
R50, R100 = (3, 4, 14, 3), (3, 13, 30, 3)
SMALL = (1, 2, 1, 1)


def _keras(depths, name):
  """Keras' groups and kernels for the layers of a VGG."""
  found = {}
  for layer, shape in published.vgg_layers(depths).items():
    path, part = layer.rsplit('.', 1)
    block, i = path.removeprefix('conv').split('_')
    group = name.format(block=block, layer=i)
    if part == 'weight':
      shape = tuple(shape[axis] for axis in (2, 3, 1, 0))
    found[f'{group}/{group}_{part}:0'] = shape
  return found


PUBLISHED = {
  'vgg19': [published.vgg_features(VGG19)],
  'vgg19_torchvision': [published.vgg_features(VGG19)],
  'vgg19_keras': [_keras(VGG19, 'block{block}_conv{layer}')],
  'vggface': [published.vgg_layers(VGG16)],
  'vggface_keras': [_keras(VGG16, 'conv{block}_{layer}')],
  'inception': [published.inception()],
  'arcface_r50': [published.iresnet(R50)],
  'arcface_r100': [published.iresnet(R100)],
  'lpips_alex': [published.lpips_flax('AlexNet')],
  'lpips_vgg': [published.lpips_flax('VGG16')],
  'vgg16': [published.lpips_flax('VGG16')],
  'dlib_resnet': [published.dlib_resnet()],
  'sface': [published.sface()],
  'lpips_alex_torch': [
    published.alexnet_features(),
    published.lpips_heads((64, 192, 384, 256, 256)),
  ],
  'lpips_vgg_torch': [
    published.vgg_features(VGG16),
    published.lpips_heads(published.VGG_CHANNELS),
  ],
}


def _contents(name):
  files = [Contents(published.draw(shapes)) for shapes in PUBLISHED[name]]
  if name == 'sface':  # its graph scales its input itself
    files[0].tensors.update(scalar_op1=np.array([127.5]))
    files[0].tensors.update(scalar_op2=np.array([1 / 128]))
    nodes = (
      Node('Sub', ('data', 'scalar_op1'), 'a', {}),
      Node('Mul', ('a', 'scalar_op2'), 'b', {}),
    )
    files[0] = files[0]._replace(nodes=nodes)
  return files


def test_every_source_has_its_published_names():
  assert set(PUBLISHED) == set(sources.SOURCES)


@pytest.mark.parametrize('name', list(PUBLISHED))
def test_the_converted_tree_fits_the_network(name):
  source = sources.SOURCES[name]
  tree = source.layout(*_contents(name))
  tensors.check_like(name, tree, pretrained.shapes_of(source.network))


@pytest.mark.parametrize('name', list(PUBLISHED))
def test_a_missing_tensor_is_named(name):
  source = sources.SOURCES[name]
  files = _contents(name)
  gone = next(iter(files[0].tensors))
  if name == 'inception':  # its names are found, not known: the norm is missed
    gone = gone.replace('conv.weight', 'bn.weight')
  del files[0].tensors[gone]
  group = gone.split('/')[0]
  if name.endswith('_keras'):
    group = group.replace('block', 'conv').replace('_conv', '_')
  with pytest.raises(layouts.LayoutError, match=group):
    source.layout(*files)


def _count(name):
  leaves = jax.tree.leaves(pretrained.shapes_of(name))
  return sum(int(np.prod(leaf.shape)) for leaf in leaves)


def test_parameters_are_as_many_as_published():
  # Keras' documentation: VGG19 and VGG16 without classifier; less conv5_2 on.
  tail = 512 * 512 * 9 + 512
  assert _count('vgg19') == 20_024_384 - 3 * tail
  assert _count('vggface') == 14_714_688 - 2 * tail
  # torchvision's features; the heads have a number for every channel.
  assert _count('lpips_alex') == 2_469_696 + 64 + 192 + 384 + 256 + 256
  assert _count('lpips_vgg') == 14_714_688 + 64 + 128 + 256 + 512 + 512
  # Keras' InceptionV3 without classifier has 21,768,352 trainable numbers: its
  # normalisations have no scale, as ours have none after folding.
  assert _count('inception') == 21_768_352


def test_published_networks_are_as_large_as_published():
  # torchvision: 27,161,264 with the auxiliary classifier (3,326,696) and one
  # of 1000 classes; FID's has 1008.
  whole = published.count_trained(published.inception())
  assert whole == 27_161_264 - 3_326_696 + 8 * 2049
  # insightface: 43.59 and 65.16 million.
  r50 = published.count_trained(published.iresnet(R50))
  r100 = published.count_trained(published.iresnet(R100))
  assert (round(r50 / 1e6, 2), round(r100 / 1e6, 2)) == (43.59, 65.16)


def test_convolutions_turn_their_axes():
  kernel = np.arange(2 * 3 * 5 * 7).reshape(2, 3, 5, 7)  # [O, I, H, W]
  turned = layouts.to_hwio(kernel)
  assert turned.shape == (5, 7, 3, 2)
  assert turned[4, 6, 2, 1] == kernel[1, 2, 4, 6]


def test_folding_is_the_normalisation():
  rng = np.random.default_rng(0)
  x, kernel = rng.normal(size=(9, 3)), rng.normal(size=(1, 1, 3, 4))
  gamma, beta, mean = rng.normal(size=(3, 4))
  variance = rng.uniform(0.1, 2, 4)
  y = x @ kernel[0, 0]
  wanted = gamma * (y - mean) / np.sqrt(variance + 1e-3) + beta
  folded = layouts.fold(
    kernel, 0.0, *layouts.affine(gamma, beta, mean, variance, 1e-3)
  )
  found = x @ folded['kernel'][0, 0] + folded['bias']
  np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_the_first_dense_layer_follows_our_order_of_axes():
  rng = np.random.default_rng(0)
  weight = rng.normal(size=(5, 6 * 49))
  x = rng.normal(size=(6, 7, 7))  # [C, H, W], as torch flattens
  found = x.transpose(1, 2, 0).reshape(-1) @ layouts.to_dense(weight)
  np.testing.assert_allclose(found, weight @ x.reshape(-1))


@pytest.mark.parametrize(
  'name, deeper',
  [
    ('arcface_r50', published.iresnet(R100)),
    ('vggface', published.vgg_layers(VGG19)),
    ('vggface_keras', _keras(VGG19, 'block{block}_conv{layer}')),
  ],
)
def test_a_deeper_network_is_not_taken_in_part(name, deeper):
  contents = Contents(published.draw(deeper))
  with pytest.raises(layouts.LayoutError, match='deeper network'):
    sources.SOURCES[name].layout(contents)


@pytest.mark.parametrize(
  'shape', [(), (1,), (7,), (1 << 20,), (64, 1), (1, 1, 1, 1)]
)
def test_shapes_that_do_not_go_together_are_refused(shape):
  shapes = published.iresnet(SMALL)
  for name in ('bn1.weight', 'bn1.running_var', 'layer1.0.bn3.bias'):
    given = published.draw({**shapes, name: shape})
    with pytest.raises(layouts.LayoutError):
      layouts.iresnet(Contents(given), SMALL)
  for part in ('weight', 'bias', 'running_mean', 'running_var'):
    shapes[f'bn1.{part}'] = shape
  with pytest.raises(layouts.LayoutError):
    layouts.iresnet(Contents(published.draw(shapes)), SMALL)


class _Exporter:
  """Writes an iResNet as exporters do, by its torch tensors.

  Normalisations behind convolutions are folded, or not; tensors have numbers
  for names.
  """

  def __init__(self, tensors, fold):
    self.given, self.fold = tensors, fold
    self.tensors, self.nodes, self.number = {}, [], 0

  def _new(self):
    self.number += 1
    return str(self.number)

  def _add(self, op, inputs, constants=(), **attributes):
    names = []
    for constant in constants:
      names.append(self._new())
      self.tensors[names[-1]] = constant
    output = self._new()
    self.nodes.append(Node(op, (*inputs, *names), output, attributes))
    return output

  def norm(self, x, name):
    parts = ('weight', 'bias', 'running_mean', 'running_var')
    constants = [self.given[f'{name}.{part}'] for part in parts]
    return self._add('BatchNormalization', [x], constants, epsilon=1e-5)

  def conv(self, x, name, norm, strides):
    kernel = self.given[f'{name}.weight']
    attributes = {'strides': [strides, strides]}
    if not self.fold:
      return self.norm(self._add('Conv', [x], [kernel], **attributes), norm)
    gamma, beta, mean, variance = (
      self.given[f'{norm}.{part}']
      for part in ('weight', 'bias', 'running_mean', 'running_var')
    )
    root = np.sqrt(variance + 1e-5)
    kernel = kernel * (gamma / root)[:, None, None, None]
    bias = beta - mean * gamma / root
    return self._add('Conv', [x], [kernel, bias], **attributes)

  def prelu(self, x, name):
    slope = self.given[f'{name}.weight'][:, None, None]
    return self._add('PRelu', [x], [slope])

  def export(self, depths):
    x = self.prelu(self.conv('input', 'conv1', 'bn1', 1), 'prelu')
    for stage, depth in enumerate(depths, 1):
      for i in range(depth):
        path = f'layer{stage}.{i}'
        y = self.norm(x, f'{path}.bn1')
        y = self.conv(y, f'{path}.conv1', f'{path}.bn2', 1)
        y = self.prelu(y, f'{path}.prelu')
        y = self.conv(y, f'{path}.conv2', f'{path}.bn3', 1 + (i == 0))
        if i == 0:
          down = f'{path}.downsample'
          x = self.conv(x, f'{down}.0', f'{down}.1', 2)
        x = self._add('Add', [y, x])
    x = self._add('Flatten', [self.norm(x, 'bn2')])
    fc = [self.given['fc.weight'], self.given['fc.bias']]
    self.norm(self._add('Gemm', [x], fc, transB=1), 'features')
    return Contents(self.tensors, tuple(self.nodes), ('input',))


@pytest.fixture(scope='module')
def small():
  return published.draw(published.iresnet(SMALL))


@pytest.mark.parametrize('fold', [True, False])
def test_an_onnx_graph_gives_the_same_tree(small, fold):
  contents = _Exporter(small, fold).export(SMALL)
  found = onnx_iresnet.iresnet(contents, SMALL)
  wanted = layouts.iresnet(Contents(small), SMALL)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5),
    found,
    wanted,
  )


@pytest.mark.parametrize('depths', [(1, 1, 1, 1), (1, 3, 1, 1), (2, 2, 1, 1)])
def test_an_onnx_graph_of_other_depths_is_refused(small, depths):
  contents = _Exporter(small, True).export(SMALL)
  with pytest.raises(layouts.LayoutError, match='strides .*, not'):
    onnx_iresnet.iresnet(contents, depths)


def test_an_onnx_graph_that_normalises_its_input_is_refused(small):
  contents = _Exporter(small, True).export(SMALL)
  first = contents.nodes[0]
  nodes = (
    Node('Sub', ('input', 'mean'), 'shifted', {}),
    first._replace(inputs=('shifted', *first.inputs[1:])),
    *contents.nodes[1:],
  )
  # Its own scaling and ours would add up to a wrong one.
  with pytest.raises(layouts.LayoutError, match="'input' there is no Conv"):
    onnx_iresnet.iresnet(contents._replace(nodes=nodes), SMALL)
