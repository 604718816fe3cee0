"""L_CNT: perceptual if VGG weights are given, else a pyramid."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from absl import logging

from flaxheads.config import Config, LossConfig
from flaxheads.errors import UserError
from flaxheads.metrics import identity
from flaxheads.models import perceptual
from flaxheads.models.dlib_resnet import INPUT_SIZE, DlibResNet
from flaxheads.models.precision import widen
from flaxheads.models.resampling import max_pool, mean_pool
from flaxheads.training import face_crops, losses
from flaxheads.weights import store


class ContentLoss(NamedTuple):
  """Parameters of the networks in the loss, and the loss as a pure function.

  Attributes:
    params: {'vgg19': ..., 'vggface': ..., ...}, or {} for the pyramid. They
      are constants, passed to the step as an argument.
    apply: (params, x̂, x, points) -> float32 scalar, weighted. `points` are
      the landmarks of both, float [B, 68, 2] in pixels.
  """

  params: dict
  apply: Callable


def _networks(dtype):
  return {
    'vgg19': perceptual.vgg19(dtype=dtype),
    'vggface': perceptual.vggface(dtype=dtype),
    'vgg16': perceptual.vgg16(dtype=dtype),
  }


_POOLS = {'max': max_pool, 'average': mean_pool}
IDENTITY = 'dlib_resnet'


def identity_loss(network, params, fake, real, points):
  """1 - cosine of dlib's embeddings of the aligned faces.

  Args:
    network: DlibResNet.
    params: its parameters.
    fake: x̂, [B, H, W, 3] in [-1, 1].
    real: x, the same; no gradient flows into it.
    points: of the faces in both, [B, 68, 2] in pixels.
  """

  def embed(frames):
    faces = face_crops.align(widen(frames), points, identity.DLIB)
    return network.apply({'params': params}, faces)  # [B, 128]

  return losses.cosine_loss(embed(fake), jax.lax.stop_gradient(embed(real)))


def perceptual_content(
  params: dict, weights: LossConfig, networks: dict, face_crop: bool = False
) -> ContentLoss:
  """The content loss of VGGs.

  Args:
    params: by name; one or several of `networks`.
    weights: of the terms.
    networks: perceptual.VGG by name.
    face_crop: VGGFace sees the face alone, cut out by the landmarks.
  """

  def apply(params, fake, real, points=None):
    total = 0.0
    for name in params:
      seen = fake, jax.lax.stop_gradient(real)
      if name == 'vggface' and face_crop:
        seen = (face_crops.enlarge(widen(x), points) for x in seen)
      features = [
        networks[name].apply({'params': params[name]}, x) for x in seen
      ]
      total += getattr(weights, name) * losses.features_loss(*features)
    return total

  return ContentLoss(params, apply)


def pyramid_content(weights: LossConfig) -> ContentLoss:
  """The content loss without any network."""
  return ContentLoss(
    {},
    lambda params, fake, real, points=None: (
      weights.pyramid * losses.pyramid_loss(fake, real)
    ),
  )


def _shapes(network):
  size = INPUT_SIZE if isinstance(network, DlibResNet) else 32
  image = jnp.zeros((1, size, size, 3))
  return jax.eval_shape(network.init, jax.random.key(0), image)['params']


def _rounded(params, dtype):
  """Constants as the networks would round them in every step."""
  return jax.tree.map(lambda leaf: leaf.astype(dtype), params)


def load_networks(files, dtype) -> tuple[dict, dict]:
  """Those content networks that a config names files for.

  Args:
    files: dataclass with a path, or '', in fields named as networks.
    dtype: of the arithmetic.

  Returns:
    perceptual.VGG and its parameters, in `dtype`, each by name.

  Raises:
    UserError: a file is missing, does not fit the network, or does not say
      what it wants to see.
  """
  networks, params = _networks(dtype), {}
  for name, network in networks.items():
    if path := getattr(files, name, ''):
      weights = store.load(path, name, like=_shapes(network))
      params[name] = _rounded(weights.params, dtype)
      networks[name] = network.clone(convention=weights.convention)
  return networks, params


def load_identity(config) -> tuple[dict, Callable]:
  """Dlib's network, where the config names its file and gives it a weight.

  Args:
    config: with perceptual.dlib_resnet and loss.identity.

  Returns:
    {'dlib_resnet': parameters} and (params, x̂, x, points) -> scalar, not
    weighted; {} and zero where there is none.

  Raises:
    UserError: a file without a weight or the other way round; or it cannot
      be used.
  """
  path, weight = config.perceptual.dlib_resnet, config.loss.identity
  if bool(path) != (weight > 0):
    raise UserError(
      'perceptual.dlib_resnet and loss.identity go together: the file of the '
      f'network and the weight of the term; {path!r} and {weight} are given'
    )
  if not path:
    return {}, lambda *_: jnp.zeros(())
  weights = store.load(path, IDENTITY, like=_shapes(DlibResNet()))
  network = DlibResNet(weights.convention)

  def apply(params, fake, real, points):
    return identity_loss(network, params[IDENTITY], fake, real, points)

  return {IDENTITY: weights.params}, apply


def build_content(config: Config) -> ContentLoss:
  """The content loss that `config.perceptual` asks for.

  The networks see frames as the weight files' metadata say. Without a VGG it
  is the pyramid's; the identity term is added to either.

  Raises:
    UserError: a weight file is missing, does not fit the network, or does not
      say what it wants to see; dlib's network without a weight, or the other
      way round.
  """
  networks, params = load_networks(
    config.perceptual, jnp.dtype(config.model.dtype)
  )
  identity_params, identity_of = load_identity(config)
  if params:
    logging.info('content loss: %s', ' and '.join(sorted(params)))
    pool = _POOLS[config.perceptual.pooling]
    networks = {name: n.clone(pool=pool) for name, n in networks.items()}
    face_crop = config.perceptual.face_crop
    content = perceptual_content(params, config.loss, networks, face_crop)
  else:
    logging.info(
      'content loss: Laplacian-pyramid L1 (no VGG weights given; the paper '
      'uses VGG19 and VGGFace: --config.perceptual.vgg19=FILE.safetensors)'
    )
    content = pyramid_content(config.loss)
  if not identity_params:
    return content

  def apply(given, fake, real, points):
    vggs = {name: given[name] for name in params}
    similarity = identity_of(given, fake, real, points)
    return (
      content.apply(vggs, fake, real, points)
      + config.loss.identity * similarity
    )

  return ContentLoss({**params, **identity_params}, apply)
