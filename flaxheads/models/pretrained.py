"""Networks with published weights, by name."""

import jax
import jax.numpy as jnp

from flaxheads.errors import check_choice
from flaxheads.models import (
  dlib_resnet,
  inception,
  iresnet,
  lpips,
  perceptual,
  sface,
)

_NETWORKS = {
  'vgg19': perceptual.vgg19,
  'vggface': perceptual.vggface,
  'vgg16': perceptual.vgg16,
  'inception': inception.InceptionV3,
  'arcface_r50': lambda *a: iresnet.IResNet(iresnet.R50, *a),
  'arcface_r100': lambda *a: iresnet.IResNet(iresnet.R100, *a),
  'iresnet_small': lambda *a: iresnet.IResNet(iresnet.SMALL, *a),
  'dlib_resnet': dlib_resnet.DlibResNet,
  'sface': sface.SFace,
  'lpips_alex': lambda *a: lpips.LPIPS('alex', *a),
  'lpips_vgg': lambda *a: lpips.LPIPS('vgg', *a),
}
NAMES = tuple(_NETWORKS)
# The smallest images that make sense of; only shapes are taken from them.
_SIZES = {
  **dict.fromkeys(
    ('arcface_r50', 'arcface_r100', 'iresnet_small'), iresnet.INPUT_SIZE
  ),
  'dlib_resnet': dlib_resnet.INPUT_SIZE,
  'sface': sface.INPUT_SIZE,
}


def make_network(name: str, convention=None):
  """The module of a pretrained network.

  Args:
    name: one of NAMES.
    convention: that the weights came with; None: the network's usual one.

  Returns:
    A flax module. LPIPS takes two batches of frames, all others take one.

  Raises:
    UserError: no such network.
  """
  check_choice('network', name, NAMES)
  return _NETWORKS[name](*([convention] if convention else []))


def num_inputs(name: str) -> int:
  """How many batches of frames a network takes."""
  return 2 if name.startswith('lpips') else 1


def shapes_of(name: str):
  """Names and shapes of a network's parameters, without making any.

  Args:
    name: one of NAMES.

  Returns:
    Nested dict of jax.ShapeDtypeStruct.
  """
  network = make_network(name)
  size = _SIZES.get(name, 64)
  frames = [jnp.zeros((1, size, size, 3))] * num_inputs(name)
  return jax.eval_shape(network.init, jax.random.key(0), *frames)['params']
