"""Sources of pretrained weights: publisher, licence, input convention.

A hash is listed only if the publisher gives it, or if it was computed from the
publisher's own file; otherwise the user confirms the file with --sha256.
torchvision, pytorch-fid and the author of the VGG conversion give the first
eight digits in the file's name. These detect a damaged or wrong file, not a
forged one.
"""

import functools

from flaxheads.errors import check_choice
from flaxheads.weights import convention as conventions
from flaxheads.weights import layouts, onnx_iresnet, packages
from flaxheads.weights.contents import Contents
from flaxheads.weights.source import Part, Source

# Where a licence could not be read again, it says so: a user of the weights
# has to read the publisher's page anyway.
_VGG_LICENCE = (
  'CC BY 4.0 as recalled; see www.robots.ox.ac.uk/~vgg/research/very_deep'
)
_FACE_LICENCE = (
  'not for commercial use (CC BY-NC 4.0 as recalled); see'
  ' www.robots.ox.ac.uk/~vgg/software/vgg_face'
)
_ARCFACE_LICENCE = 'non-commercial research only; insightface'
_TORCHVISION = 'https://download.pytorch.org/models'
_HEADS = (
  'https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/'
  'lpips/weights/v0.1'
)
_INSIGHTFACE = (
  'https://github.com/deepinsight/insightface/releases/download/v0.7'
)


def _arcface(contents: Contents, depths):
  """ArcFace in either form that insightface gives: ONNX or torch."""
  layout = onnx_iresnet.iresnet if contents.nodes else layouts.iresnet
  return layout(contents, depths)


def _bind(layout, depths):
  return functools.partial(layout, depths=depths)


SOURCES = {
  # Caffe's weights in torch's format: github.com/jcjohnson/pytorch-vgg.
  'vgg19': Source(
    'vgg19',
    (
      Part(
        'https://web.eecs.umich.edu/~justincj/models/vgg19-d01eb7cb.pth',
        'd01eb7cb',
      ),
    ),
    _VGG_LICENCE,
    conventions.CAFFE_VGG,
    _bind(layouts.vgg, layouts.VGG19_DEPTHS),
  ),
  'vgg19_keras': Source(
    'vgg19',
    (
      Part(
        'https://storage.googleapis.com/tensorflow/keras-applications/vgg19/'
        'vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5',
        '',
      ),
    ),
    _VGG_LICENCE,
    conventions.CAFFE_VGG,
    _bind(layouts.vgg_keras, layouts.VGG19_DEPTHS),
  ),
  'vgg19_torchvision': Source(
    'vgg19',
    (Part(f'{_TORCHVISION}/vgg19-dcbb9e9d.pth', 'dcbb9e9d'),),
    'BSD-3-Clause, torchvision',
    conventions.TORCHVISION,
    _bind(layouts.vgg, layouts.VGG19_DEPTHS),
  ),
  # MatConvNet's weights in torch's format, by Samuel Albanie.
  'vggface': Source(
    'vggface',
    (
      Part(
        'https://www.robots.ox.ac.uk/~albanie/models/pytorch-mcn/'
        'vgg_face_dag.pth',
        '',
      ),
    ),
    _FACE_LICENCE,
    conventions.MATCONVNET_VGGFACE,
    _bind(layouts.vgg_by_name, layouts.VGG16_DEPTHS),
  ),
  'vggface_keras': Source(
    'vggface',
    (
      Part(
        'https://github.com/rcmalli/keras-vggface/releases/download/v2.0/'
        'rcmalli_vggface_tf_notop_vgg16.h5',
        '',
      ),
    ),
    _FACE_LICENCE,
    conventions.CAFFE_VGGFACE,
    _bind(layouts.vgg_keras, layouts.VGG16_DEPTHS),
  ),
  'inception': Source(
    'inception',
    (
      Part(
        'https://github.com/mseitzer/pytorch-fid/releases/download/'
        'fid_weights/pt_inception-2015-12-05-6726825d.pth',
        '6726825d',
      ),
    ),
    'Apache-2.0, TensorFlow and pytorch-fid',
    conventions.INCEPTION,
    layouts.inception,
  ),
  'arcface_r50': Source(
    'arcface_r50',
    (Part(f'{_INSIGHTFACE}/buffalo_l.zip', '', 'w600k_r50.onnx'),),
    _ARCFACE_LICENCE,
    conventions.ARCFACE,
    _bind(_arcface, (3, 4, 14, 3)),
  ),
  'arcface_r100': Source(
    'arcface_r100',
    (Part(f'{_INSIGHTFACE}/antelopev2.zip', '', 'glintr100.onnx'),),
    _ARCFACE_LICENCE,
    conventions.ARCFACE,
    _bind(_arcface, (3, 13, 30, 3)),
  ),
  **packages.SOURCES,
  # The hashes of the heads were computed from the files in lpips 0.1.4 on
  # PyPI; torchmetrics 1.9.0 carries the same bytes.
  'lpips_alex_torch': Source(
    'lpips_alex',
    (
      Part(f'{_TORCHVISION}/alexnet-owt-7be5be79.pth', '7be5be79'),
      Part(
        f'{_HEADS}/alex.pth',
        'df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0',
      ),
    ),
    packages.LPIPS_LICENCE,
    conventions.LPIPS,
    functools.partial(layouts.lpips, layers=layouts.ALEX_LAYERS),
  ),
  'lpips_vgg_torch': Source(
    'lpips_vgg',
    (
      Part(f'{_TORCHVISION}/vgg16-397923af.pth', '397923af'),
      Part(
        f'{_HEADS}/vgg.pth',
        'a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868',
      ),
    ),
    packages.LPIPS_LICENCE,
    conventions.LPIPS,
    functools.partial(layouts.lpips, layers=layouts.VGG16_LAYERS),
  ),
}


def find_source(field: str, name: str) -> Source:
  """The source of this name.

  Args:
    field: the flag or field that gave the name, for the message.
    name: one of SOURCES.

  Raises:
    UserError: there is none.
  """
  check_choice(field, name, SOURCES)
  return SOURCES[name]


def owner_of(sha256: str) -> str | None:
  """The source that a file with this hash is known to belong to."""
  for name, source in SOURCES.items():
    # Backbones of LPIPS belong to more than one network.
    if len(source.parts) == 1 and source.parts[0].sha256:
      if sha256.startswith(source.parts[0].sha256):
        return name
  return None
