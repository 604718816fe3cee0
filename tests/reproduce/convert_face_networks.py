"""Converts MediaPipe's face models to flaxheads/landmarks/*.safetensors.

Reads the TensorFlow Lite files of MediaPipe 0.10.21 (Apache-2.0) out of its
wheel, the last one that bundles them, and names their weights after the layers
of flaxheads.landmarks.face_networks:

  pip install tflite==2.18.0
  pip download --no-deps --python-version=3.11 --only-binary=:all: \
    mediapipe==0.10.21
  python -m tests.reproduce.convert_face_networks mediapipe-0.10.21-*.whl
"""

import hashlib
import json
import pathlib
import sys
import zipfile

import numpy as np
import tflite
from flatbuffers import flexbuffers
from safetensors.numpy import save_file

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_OUTPUT = _ROOT / 'flaxheads/landmarks/face_networks.safetensors'
_MODULES = 'mediapipe/modules'
_DETECTOR = f'{_MODULES}/face_detection/face_detection_full_range_sparse.tflite'
_MESH = f'{_MODULES}/face_landmark/face_landmark_with_attention.tflite'
_OPS = {v: k for k, v in vars(tflite.BuiltinOperator).items() if k[0] != '_'}
_REGION = 'Landmarks2TransformMatrix'
_DENSE = 0  # tflite.DimensionType
_VECTORS = {
  1: tflite.Int32Vector,
  2: tflite.Uint16Vector,
  3: tflite.Uint8Vector,
}


def _expand(values, sparsity, shape):
  """The dense array of a sparse one, see TensorFlow Lite's schema.fbs.

  A dimension is dense or compressed (CSR); dimensions beyond the array's rank
  are those of blocks.
  """
  rank = len(shape)
  places, where = np.zeros((1, 0), int), np.zeros(1, int)
  sizes = []
  for number in range(sparsity.DimMetadataLength()):
    meta = sparsity.DimMetadata(number)
    if meta.Format() == _DENSE:
      size = meta.DenseSize()
      sizes.append(size)
      index = np.tile(np.arange(size), len(where))
      places = np.repeat(places, size, 0)
      where = (where[:, None] * size + np.arange(size)).ravel()
    else:
      sizes.append(None)
      starts = _vector(meta.ArraySegmentsType(), meta.ArraySegments())
      spans = [np.arange(starts[w], starts[w + 1]) for w in where]
      places = np.repeat(places, [len(span) for span in spans], 0)
      where = np.concatenate(spans)
      index = _vector(meta.ArrayIndicesType(), meta.ArrayIndices())[where]
    places = np.concatenate([places, index[:, None]], 1)
  blocks = sparsity.BlockMapAsNumpy() if sparsity.BlockMapLength() else []
  block_of = {int(dim): sizes[rank + k] for k, dim in enumerate(blocks)}
  full = np.zeros((rank, len(where)), int)
  for level, dim in enumerate(sparsity.TraversalOrderAsNumpy()):
    if dim < rank:
      full[dim] += places[:, level] * block_of.get(int(dim), 1)
    else:
      full[blocks[dim - rank]] += places[:, level]
  dense = np.zeros(shape, values.dtype)
  dense[tuple(full)] = values[where]
  return dense


def _vector(kind, table):
  vector = _VECTORS[kind]()
  vector.Init(table.Bytes, table.Pos)
  return np.asarray(vector.ValuesAsNumpy()).astype(int)


class _Graph:
  """A model's operators, followed from tensor to tensor."""

  def __init__(self, data: bytes):
    model = tflite.Model.GetRootAs(data, 0)
    graph = model.Subgraphs(0)
    self._constants, self._users, self.regions = {}, {}, []
    for number in range(graph.TensorsLength()):
      tensor = graph.Tensors(number)
      buffer = model.Buffers(tensor.Buffer())
      if buffer.DataLength() and tensor.Type() == tflite.TensorType.FLOAT16:
        values = buffer.DataAsNumpy().view(np.float16)
        shape = tensor.ShapeAsNumpy() if tensor.ShapeLength() else ()
        sparse = tensor.Sparsity()
        self._constants[number] = (
          _expand(values, sparse, shape) if sparse else values.reshape(shape)
        )
    for number in range(graph.OperatorsLength()):
      op = graph.Operators(number)
      code = model.OperatorCodes(op.OpcodeIndex())
      name = _OPS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
      if name == 'CUSTOM':
        name = code.CustomCode().decode()
      if name == _REGION:
        options = bytearray(op.CustomOptionsAsNumpy().tobytes())
        indices = flexbuffers.GetRoot(options).Value['subset_idxs']
        self.regions.append(np.array(indices, np.int32))
      inputs = [int(n) for n in op.InputsAsNumpy()]
      (output,) = (int(n) for n in op.OutputsAsNumpy())
      if name in ('DEQUANTIZE', 'DENSIFY') and inputs[0] in self._constants:
        self._constants[output] = self._constants[inputs[0]]
        continue
      for each in inputs:
        self._users.setdefault(each, []).append((name, inputs, output))
    self.input = int(graph.InputsAsNumpy()[0])

  def follow(self, tensor: int, name: str, which: int = 0):
    """(constants, output) of a user, `which` of those called `name`."""
    users = [u for u in self._users[tensor] if u[0] == name]
    _, inputs, output = users[which]
    return [self._constants.get(n) for n in inputs[1:]], output

  def skip(self, tensor: int, name: str) -> int:
    """The output of the user called `name` where there is one."""
    users = [u for u in self._users[tensor] if u[0] == name]
    return users[0][2] if users else tensor

  def convolution(self, tensor, which=0):
    """({kernel, bias}, output) of a convolution; 1x1 ones as matrices."""
    (kernel, bias), output = self.follow(tensor, 'CONV_2D', which)
    kernel = kernel.transpose(1, 2, 3, 0)  # OHWI to HWIO
    if kernel.shape[:2] == (1, 1):
      kernel = kernel[0, 0]
    return {'kernel': kernel, 'bias': bias}, output

  def depthwise(self, tensor, which=0):
    """({kernel [3, 3, C], bias}, output), with the padding before it."""
    tensor = self.skip(tensor, 'PAD')
    (kernel, bias), output = self.follow(tensor, 'DEPTHWISE_CONV_2D', which)
    return {'kernel': kernel[0], 'bias': bias}, output


def _separable(graph, tensor, which=0):
  depthwise, tensor = graph.depthwise(tensor, which)
  pointwise, tensor = graph.convolution(tensor)
  return {'depthwise': depthwise, 'pointwise': pointwise}, tensor


def _double(graph, tensor, residual=True):
  """Two separable convolutions of the detector, and the sum after them."""
  first, tensor = _separable(graph, tensor)
  second, tensor = _separable(graph, tensor)
  if residual:
    _, tensor = graph.follow(tensor, 'ADD')
  return {'0': first, '1': second}, tensor


def _detector(graph: _Graph) -> dict:
  stem, x = graph.convolution(graph.skip(graph.input, 'PAD'))
  params = {'stem': stem}
  lateral = {}
  for stage, blocks in enumerate((2, 2, 2, 2, 3)):
    layers = {}
    if stage:
      layers['down'], x = _double(graph, x, residual=False)
    for block in range(blocks):
      layers[f'block{block}'], x = _double(graph, x)
    if stage:
      layers['lateral'], lateral[stage] = graph.convolution(x)
    params[f'stage{stage}'] = layers
  x = lateral[4]
  for stage, blocks in ((3, 2), (2, 2), (1, 1)):
    x = graph.skip(x, 'RESIZE_BILINEAR')
    _, x = graph.follow(x, 'ADD')
    layers = {}
    for block in range(blocks):
      layers[f'block{block}'], x = _double(graph, x)
    if stage > 1:
      layers['up'], x = graph.convolution(x)
    params[f'merge{stage}'] = layers
  for which, name in enumerate(('score', 'values')):
    pointwise, head = graph.convolution(x, which)
    depthwise, _ = graph.depthwise(head)
    params[name] = {'depthwise': depthwise, 'pointwise': pointwise}
  return params


def _residual(graph, tensor, which=0):
  """A block of the mesh: separable convolution, sum and PReLU."""
  layers, tensor = _separable(graph, tensor, which)
  _, tensor = graph.follow(tensor, 'ADD')
  (slope,), tensor = graph.follow(tensor, 'PRELU')
  return {**layers, 'slope': slope.reshape(-1)}, tensor


def _residuals(graph, tensor, count, which=0):
  params = {}
  for number in range(count):
    params[f'{number:02d}'], tensor = _residual(
      graph, tensor, which if number == 0 else 0
    )
  return params, tensor


def _tail(graph, tensor):
  narrow, tensor = graph.convolution(tensor)
  (slope,), tensor = graph.follow(tensor, 'PRELU')
  block, tensor = _residual(graph, tensor)
  return {'narrow': {**narrow, 'slope': slope.reshape(-1)}, 'block': block}, (
    tensor
  )


def _stack(trees):
  first = trees[0]
  if isinstance(first, dict):
    return {name: _stack([tree[name] for tree in trees]) for name in first}
  return np.stack(trees)


def _mesh(graph: _Graph) -> dict:
  stem, x = graph.convolution(graph.input)
  (slope,), x = graph.follow(x, 'PRELU')
  params = {'stem': {**stem, 'slope': slope.reshape(-1)}}
  shared = _residuals(graph, x, 3)[1]  # whose output the regions are cut from
  params['trunk'], x = _residuals(graph, x, 17)
  params['tail'], x = _tail(graph, x)
  for which, name in enumerate(('face', 'presence')):
    params[name] = graph.convolution(x, which)[0]
  regions, heads = [], []
  for region in range(3):  # lips, left eye, right eye
    _, x = graph.follow(shared, 'TransformTensorBilinear', region)
    blocks, x = _residuals(graph, x, 6)
    regions.append(blocks)
    for which in range(2 if region else 1):  # the contours, then the iris
      blocks, head = _residuals(graph, x, 5, which)
      tail, head = _tail(graph, head)
      dense, _ = graph.convolution(head)
      params[f'head{len(heads)}'] = dense
      heads.append({'blocks': blocks, 'tail': tail})
  params['regions'], params['heads'] = _stack(regions), _stack(heads)
  names = ('lips', 'left_eye', 'right_eye')
  params['indices'] = dict(zip(names, graph.regions, strict=True))
  return params


def _flatten(tree, prefix):
  if not isinstance(tree, dict):
    return {prefix: np.ascontiguousarray(tree)}
  flat = {}
  for name, value in tree.items():
    flat.update(_flatten(value, f'{prefix}/{name}'))
  return flat


def main(wheel: str):
  """Writes the package's weights from the models in a wheel."""
  with zipfile.ZipFile(wheel) as archive:
    files = {name: archive.read(name) for name in (_DETECTOR, _MESH)}
  tensors = {
    **_flatten(_detector(_Graph(files[_DETECTOR])), 'detector'),
    **_flatten(_mesh(_Graph(files[_MESH])), 'mesh'),
  }
  sources = {k: hashlib.sha256(v).hexdigest() for k, v in files.items()}
  metadata = {
    'license': 'Apache-2.0, Copyright The MediaPipe Authors',
    'source': 'https://pypi.org/project/mediapipe/0.10.21',
    'sha256': json.dumps(sources),
  }
  save_file(tensors, _OUTPUT, metadata)
  count = sum(tensor.size for tensor in tensors.values())
  print(f'{_OUTPUT}: {len(tensors)} tensors, {count} numbers')


if __name__ == '__main__':
  main(sys.argv[1])
