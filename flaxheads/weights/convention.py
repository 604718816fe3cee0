"""The input convention of a pretrained network, stored beside its weights."""

import json
import math
from typing import NamedTuple

from flaxheads.errors import UserError

CHANNELS = ('RGB', 'BGR')


class Convention(NamedTuple):
  """The input of a network: (value in low..high - mean) / std.

  Attributes:
    channels: order of the input's channels, RGB or BGR.
    low: what black is before the mean is taken off.
    high: what full intensity is.
    mean: of three channels, in the order of `channels`, on the scale low..high.
    std: the same.
  """

  channels: str
  low: float
  high: float
  mean: tuple[float, float, float]
  std: tuple[float, float, float]

  def to_json(self) -> str:
    """The text that goes into a file's metadata."""
    return json.dumps(self._asdict())


def _three(values) -> tuple[float, float, float]:
  if not isinstance(values, list) or len(values) != 3:
    raise ValueError('three numbers are needed')
  return tuple(_number(value) for value in values)


def _number(value) -> float:
  if isinstance(value, bool) or not isinstance(value, int | float):
    raise ValueError(f'{value!r} is not a number')
  if not math.isfinite(value):
    raise ValueError(f'{value!r} is not finite')
  return float(value)


def from_json(path: str, text: str | None) -> Convention:
  """The convention that the metadata of a file hold.

  Args:
    path: of the file, for the message.
    text: from `Convention.to_json`; None where the file has none.

  Returns:
    Convention.

  Raises:
    UserError: there is none, or it makes no sense.
  """
  if text is None:
    raise UserError(
      f'{path}: its metadata hold no input convention; files made by'
      ' python -m launch.weights do'
    )
  try:
    given = json.loads(text)
    found = Convention(
      given['channels'],
      _number(given['low']),
      _number(given['high']),
      _three(given['mean']),
      _three(given['std']),
    )
    if found.channels not in CHANNELS:
      raise ValueError(f'channels {found.channels!r} are not RGB or BGR')
    if not found.low < found.high or min(found.std) <= 0:
      raise ValueError('low < high and std > 0 are needed')
  except (ValueError, KeyError, TypeError, RecursionError) as error:
    reason = str(error).split('\n')[0][:100]
    raise UserError(
      f'{path}: the input convention in its metadata is damaged ({reason});'
      ' make the file again with python -m launch.weights'
    ) from None
  return found


_NO_MEAN, _UNIT = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

# VGG's own README (gist ksimonyan/211839e770f7b538e2d8): BGR, mean pixel of
# ImageNet.
CAFFE_VGG = Convention('BGR', 0.0, 255.0, (103.939, 116.779, 123.68), _UNIT)
# The mean of the faces that VGG-Face was trained on, Parkhi et al. 2015.
CAFFE_VGGFACE = Convention(
  'BGR', 0.0, 255.0, (93.5940, 104.7624, 129.1863), _UNIT
)
# The `meta` of vgg_face_dag.py, converted from MatConvNet: the same, in RGB.
MATCONVNET_VGGFACE = Convention(
  'RGB',
  0.0,
  255.0,
  (129.186279296875, 104.76238250732422, 93.59396362304688),
  _UNIT,
)
# The transforms that torchvision documents with its ImageNet weights.
TORCHVISION = Convention(
  'RGB', 0.0, 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
)
# pytorch-fid: 2 x - 1 on [0, 1].
INCEPTION = Convention('RGB', -1.0, 1.0, _NO_MEAN, _UNIT)
# insightface, arcface_torch: (x / 255 - 0.5) / 0.5.
ARCFACE = Convention('RGB', 0.0, 255.0, (127.5,) * 3, (127.5,) * 3)
# ScalingLayer of Zhang et al. 2018's code, version 0.1.
LPIPS = Convention(
  'RGB', -1.0, 1.0, (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
)
# dlib's input_rgb_image_sized: (x - mean) / 256.
DLIB = Convention(
  'RGB', 0.0, 255.0, (122.782, 117.001, 104.298), (256.0, 256.0, 256.0)
)
# The first two nodes of OpenCV's SFace: (x - 127.5) / 128.
SFACE = Convention('RGB', 0.0, 255.0, (127.5,) * 3, (128.0,) * 3)
