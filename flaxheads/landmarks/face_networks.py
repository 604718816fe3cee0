"""The two networks that find faces, as plain JAX functions.

`detect` is BlazeFace's full-range model (Bazarevsky et al. 2019), `mesh` the
attention mesh (Grishchenko et al. 2020): 468 points of a face and 5 of each
iris. Both take images of 192 x 192. Their weights are MediaPipe's
(Apache-2.0), converted by tests/reproduce/convert_face_networks.py.

Depthwise convolutions are written as sums of shifted images: XLA compiles
grouped convolutions to programs that are 8 to 13 times slower on CPUs.
"""

import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import lax
from safetensors.numpy import load_file

INPUT_SIZE = 192
NUM_POINTS = 478  # 468 of the face, then 5 of each iris, its centre first
WEIGHTS = pathlib.Path(__file__).with_name('face_networks.safetensors')

_HIGHEST = lax.Precision.HIGHEST  # else TPUs round to bfloat16, GPUs to TF32
_GRID = 48  # cells of the detector along a side, an anchor in each
_REGION = 16  # cells of a region of the mesh along a side
_FEATURE_STRIDE = 4  # pixels of a cell of the features the regions are cut from
_HEAD_SIZE = 64  # a region's side in the units of its head's output
_TRUNK_OF_HEAD = np.array([0, 1, 1, 2, 2])  # lips, left eye, iris, right, iris


class Detections(NamedTuple):
  """What the detector says of every anchor.

  Attributes:
    scores: float [N, 2304], in [0, 1].
    boxes: float [N, 2304, 4], (x0, y0, x1, y1) in units of the image's side.
    keypoints: float [N, 2304, 6, 2], the same units: right and left eye of the
      person, nose, mouth, right and left ear.
  """

  scores: jax.Array
  boxes: jax.Array
  keypoints: jax.Array


class Mesh(NamedTuple):
  """What the mesh says of an image.

  Attributes:
    presence: float [N], the probability that it shows a face.
    points: float [N, 478, 3], (x, y) in pixels of the image; z grows away from
      the camera, in about the same unit.
  """

  presence: jax.Array
  points: jax.Array


def load_params() -> dict[str, dict]:
  """Float32 parameters of 'detector' and 'mesh'."""
  flat = load_file(WEIGHTS)
  for name, value in flat.items():
    if value.dtype == np.float16:
      flat[name] = value.astype(np.float32)
  return unflatten_dict(flat, sep='/')


def detect(params: dict, images: jax.Array) -> Detections:
  """Looks for faces.

  Args:
    params: of 'detector'.
    images: [N, 192, 192, 3], 0 to 255.
  """
  x = _to_float(images, params['stem']['bias'].dtype) / 127.5 - 1
  x = jax.nn.relu(_convolution(params['stem'], x, 2, ((1, 1), (1, 1))))
  lateral = {}
  for stage in range(5):
    layers = params[f'stage{stage}']
    if stage:
      x = _double(layers['down'], x, stride=2)
    x = _doubles(layers, x)
    if stage:
      lateral[stage] = jax.nn.relu(_dense(layers['lateral'], x))
  x = lateral[4]
  for stage in (3, 2, 1):
    layers = params[f'merge{stage}']
    x = _doubles(layers, lateral[stage] + _upsample(x))
    if stage > 1:
      x = jax.nn.relu(_dense(layers['up'], x))
  logits, values = _anchor_head(params['score'], x), params['values']
  values = _anchor_head(values, x).reshape(len(x), -1, 8, 2) / INPUT_SIZE
  scores = jax.nn.sigmoid(logits[..., 0].reshape(len(x), -1))
  steps = (np.arange(_GRID) + 0.5) / _GRID
  anchors = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
  anchors = jnp.asarray(anchors, x.dtype)
  centre, half = values[:, :, 0] + anchors, values[:, :, 1] / 2
  boxes = jnp.concatenate([centre - half, centre + half], -1)
  return Detections(scores, boxes, values[:, :, 2:] + anchors[:, None])


def mesh(params: dict, images: jax.Array) -> Mesh:
  """Finds the points of the one face that an image shows.

  The whole image gives all points roughly; then lips and eyes are cut out of
  the features, upright, and give their own points again, and the irises'.

  Args:
    params: of 'mesh'.
    images: [N, 192, 192, 3], 0 to 255; a face upright in the middle, with a
      quarter of its size around it.
  """
  x = _to_float(images, params['stem']['bias'].dtype) / 255
  x = _convolution(params['stem'], x, 2, ((0, 1), (0, 1)))
  x = _prelu(x, params['stem']['slope'])
  trunk = sorted(params['trunk'].items())
  x = _residuals(dict(trunk[:3]), x)
  features = x
  x = _tail(params['tail'], _residuals(dict(trunk[3:]), x, start=3))
  coarse = _flat_dense(params['face'], x).reshape(len(x), -1, 3)
  presence = jax.nn.sigmoid(_flat_dense(params['presence'], x)[:, 0])

  indices = params['indices']
  names = ('lips', 'left_eye', 'right_eye')
  corners = ((61, 291), (33, 133), (362, 263))
  frames = [
    _region(coarse[..., :2], indices[name], *pair)
    for name, pair in zip(names, corners, strict=True)
  ]
  centre, axes = (jnp.stack(part) for part in zip(*frames, strict=True))
  cut = jax.vmap(_sample, (None, 0, 0))(features, centre, axes)
  trunks = jax.vmap(_residuals)(params['regions'], cut)[_TRUNK_OF_HEAD]
  heads = params['heads']
  heads = jax.vmap(_tail)(
    heads['tail'], jax.vmap(_residuals)(heads['blocks'], trunks)
  )  # [5, N, 2, 2, 32]
  refined = []
  for head, region in enumerate(_TRUNK_OF_HEAD):
    uv = _flat_dense(params[f'head{head}'], heads[head])
    uv = uv.reshape(len(x), -1, 2) / _HEAD_SIZE - 0.5
    refined.append(_to_image(uv, centre[region], axes[region]))
  return Mesh(presence, _join(coarse, refined, indices))


def _to_float(images, dtype):
  return jnp.asarray(images).astype(dtype)


def _dense(params, x):
  return jnp.dot(x, params['kernel'], precision=_HIGHEST) + params['bias']


def _flat_dense(params, x):
  """A convolution whose kernel is as large as its image."""
  kernel = params['kernel'].reshape(-1, params['kernel'].shape[-1])
  flat = x.reshape(len(x), -1)
  return jnp.dot(flat, kernel, precision=_HIGHEST) + params['bias']


def _convolution(params, x, stride, padding):
  x = lax.conv_general_dilated(
    x,
    params['kernel'],
    (stride, stride),
    padding,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    precision=_HIGHEST,
  )
  return x + params['bias']


def quickly_compiled(params: dict) -> dict:
  """Parameters with which a network compiles in 1 s instead of 5, and is slow.

  Their depthwise kernels are [..., 3, 3, 1, C], of grouped convolutions.

  Args:
    params: of 'detector' or 'mesh'.
  """
  flat = flatten_dict(params)
  for path, value in flat.items():
    if path[-2:] == ('depthwise', 'kernel'):
      flat[path] = value[..., None, :]
  return unflatten_dict(flat)


def _depthwise(params, x, stride=1, padding=(1, 1)):
  kernel = params['kernel']
  if kernel.ndim == 4:
    y = lax.conv_general_dilated(
      x,
      kernel,
      (stride, stride),
      (padding, padding),
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
      feature_group_count=x.shape[-1],
      precision=_HIGHEST,
    )
    return y + params['bias']
  height, width = x.shape[1] // stride, x.shape[2] // stride
  x = jnp.pad(x, ((0, 0), padding, padding, (0, 0)))
  rows = [slice(i, i + (height - 1) * stride + 1, stride) for i in range(3)]
  columns = [slice(j, j + (width - 1) * stride + 1, stride) for j in range(3)]
  return params['bias'] + sum(
    x[:, row, column] * kernel[i, j]
    for i, row in enumerate(rows)
    for j, column in enumerate(columns)
  )


def _prelu(x, slope):
  return jnp.maximum(x, 0) + slope * jnp.minimum(x, 0)


def _double(params, x, stride=1):
  """Two separable convolutions, the detector's: wide to narrow to wide."""
  first, second = params['0'], params['1']
  x = _depthwise(first['depthwise'], x, stride)
  x = jax.nn.relu(_dense(first['pointwise'], x))
  x = _dense(second['pointwise'], _depthwise(second['depthwise'], x))
  return jax.nn.relu(x) if stride > 1 else x


def _doubles(layers, x):
  for name in sorted(name for name in layers if name.startswith('block')):
    x = jax.nn.relu(x + _double(layers[name], x))
  return x


def _anchor_head(params, x):
  """A stride of 2 whose channels are the 2 x 2 cells that it skipped."""
  x = _depthwise(params['depthwise'], _dense(params['pointwise'], x), 2)
  n, height, width, channels = x.shape
  x = x.reshape(n, height, width, 2, 2, channels // 4)
  return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * height, 2 * width, -1)


def _upsample(x):
  """Bilinear, to twice the size, with pixel centres at halves."""
  matrix = np.zeros((2 * x.shape[1], x.shape[1]))
  places = (np.arange(len(matrix)) + 0.5) / 2 - 0.5
  for row, place in enumerate(np.clip(places, 0, x.shape[1] - 1)):
    low = min(int(place), x.shape[1] - 2)
    matrix[row, low : low + 2] = (1 - (place - low), place - low)
  matrix = jnp.asarray(matrix, x.dtype)
  return jnp.einsum('yh,xw,nhwc->nyxc', matrix, matrix, x, precision=_HIGHEST)


def _residuals(blocks, x, start=0):
  """Blocks of the mesh; every third halves the image."""
  for number, (_, block) in enumerate(sorted(blocks.items()), start):
    x = _residual(block, x, stride=2 if number % 3 == 2 else 1)
  return x


def _residual(params, x, stride=1):
  padding = (0, 1) if stride == 2 else (1, 1)  # as TensorFlow's SAME
  y = _depthwise(params['depthwise'], x, stride, padding)
  y = _dense(params['pointwise'], y)
  if stride == 2:
    n, height, width, channels = x.shape
    x = x.reshape(n, height // 2, 2, width // 2, 2, channels).max((2, 4))
    x = jnp.pad(x, ((0, 0),) * 3 + ((0, y.shape[-1] - channels),))
  return _prelu(x + y, params['slope'])


def _tail(params, x):
  narrow = params['narrow']
  x = _prelu(_dense(narrow, x), narrow['slope'])
  return _residual(params['block'], x)


def _region(points, indices, left, right):
  """The upright rectangle around some points, half as large again.

  Returns:
    (centre [N, 2], axes [N, 2, 2]); a column of `axes` is a whole side.
  """
  x, y = jnp.moveaxis(points[:, right] - points[:, left], -1, 0)
  angle = jnp.arctan2(y, x)
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  turn = jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], 1)
  upright = jnp.einsum(
    'npi,nij->npj', points[:, indices], turn, precision=_HIGHEST
  )
  low, high = upright.min(1), upright.max(1)
  centre = jnp.einsum('nij,nj->ni', turn, (low + high) / 2, precision=_HIGHEST)
  return centre, turn * (1.5 * (high - low))[:, None]


def _to_image(uv, centre, axes):
  """Places uv [N, P, 2] of a region, from -0.5 to 0.5, in the image."""
  xy = jnp.einsum('nij,npj->npi', axes, uv, precision=_HIGHEST)
  return xy + centre[:, None]


def _sample(features, centre, axes):
  """Bilinear samples [N, 16, 16, C] of a region, zero outside the image."""
  n, height, width, channels = features.shape
  steps = (np.arange(_REGION) + 0.5) / _REGION - 0.5
  uv = np.stack(np.meshgrid(steps, steps), -1).reshape(1, -1, 2)
  uv = jnp.broadcast_to(jnp.asarray(uv, features.dtype), (n, _REGION**2, 2))
  place = _to_image(uv, centre, axes) / _FEATURE_STRIDE - 0.5
  last = jnp.array([width - 1, height - 1], features.dtype)
  inside = ((place >= 0) & (place <= last)).all(-1, keepdims=True)
  low = jnp.clip(jnp.floor(place), 0, last - 1)
  fraction = place - low
  column, row = jnp.moveaxis(low.astype(jnp.int32), -1, 0)
  flat = features.reshape(n, -1, channels)
  total = 0
  for i in (0, 1):
    for j in (0, 1):
      at = (row + i) * width + column + j
      weight = jnp.abs(1 - jnp.array([j, i], flat.dtype) - fraction).prod(-1)
      near = jax.vmap(lambda values, index: values[index])(flat, at)
      total += weight[..., None] * near
  cut = jnp.where(inside, total, 0)
  return cut.reshape(n, _REGION, _REGION, channels)


def _join(coarse, refined, indices):
  """The face's points with the refined ones in their places, then the irises.

  An iris lies at the mean depth of its eye's contour, the first 16 points.
  """
  lips, left, left_iris, right, right_iris = refined
  xy = coarse[..., :2]
  names = ('lips', 'left_eye', 'right_eye')
  for name, points in zip(names, (lips, left, right), strict=True):
    xy = xy.at[:, indices[name]].set(points)
  depths = [coarse[..., 2]]
  for name in names[1:]:
    depth = coarse[:, indices[name][:16], 2].mean(1, keepdims=True)
    depths.append(jnp.repeat(depth, 5, 1))
  xy = jnp.concatenate([xy, left_iris, right_iris], 1)
  return jnp.concatenate([xy, jnp.concatenate(depths, 1)[..., None]], -1)
