"""The metrics of fine-tuning on its validation frames.

They are landmark error and identity. Identity is the cosine of ArcFace
embeddings if their weights are installed. Otherwise the model's own embedder E
is a proxy: ê separates people, and fine-tuning does not change it. Reports name
it, and never call it CSIM.
"""

import functools

import numpy as np

from flaxheads import networks as nets
from flaxheads.data.pixels import to_float
from flaxheads.fewshot.direct import check_frames
from flaxheads.fewshot.model import Model
from flaxheads.fewshot.validation import Validator
from flaxheads.landmarks import host_raster
from flaxheads.landmarks.detect import DETECTOR, make_detector
from flaxheads.metrics import identity
from flaxheads.quick_jit import quick_jit
from flaxheads.weights import store

_ARCFACE = ('arcface_r50', 'arcface_r100')  # the usual one first
PROXY = "cosine of the model's own embeddings"


@functools.lru_cache(maxsize=8)
def _embedder(networks: nets.Networks):
  def embed(params, frames, landmark_images):
    # [V, 1, ...]: a person for each frame
    return nets.embed_people(
      networks, params, to_float(frames)[:, None], landmark_images[:, None]
    )

  return quick_jit(embed, 'once')


def embed_with_model(model: Model):
  """ê of each frame by itself.

  Args:
    model: Model.

  Returns:
    A function of frames uint8 [V, S, S, 3] and points [V, 68, 2], in pixels,
    that returns float32 [V, N].
  """

  def embed(frames, points):
    check_frames(model.config, frames, points)
    params = model.normal['embedder']
    landmark_images = host_raster.landmark_images(points, frames.shape[2])
    embed = _embedder(model.networks)
    return np.asarray(embed(params, frames, landmark_images))

  return embed


def embed_with_arcface(network):
  """ArcFace's embedding of the face at the given points.

  Args:
    network: flaxheads.metrics.networks.MetricNetwork.

  Returns:
    A function of frames uint8 [V, S, S, 3] and points [V, 68, 2], in pixels,
    that returns float32 [V, 512].
  """
  return lambda frames, points: network(identity.align(frames, points))


def find_arcface():
  """ArcFace, if launch.weights has installed it; else None.

  Raises:
    UserError: a damaged file.
  """
  for name in _ARCFACE:
    if store.default_path(name).is_file():
      from flaxheads.metrics import networks  # rarely needed

      return networks.load_network(name)
  return None


def assemble(model: Model, detector=None, arcface=None) -> Validator:
  """The validator of a model's people, of the networks given.

  Args:
    model: Model.
    detector: (name, function) of flaxheads.landmarks.detect; None: no landmark
      errors.
    arcface: MetricNetwork; None: the model's own E is the proxy.
  """
  name, detect = detector or (None, None)
  if arcface is None:
    return Validator(detect, embed_with_model(model), name, PROXY)
  mark = f' ({arcface.mark})' if arcface.mark else ''
  embed = embed_with_arcface(arcface)
  return Validator(detect, embed, name, f'CSIM{mark}', arcface.digest)


def make_validator(model: Model) -> Validator:
  """The usual validator of a model's people.

  It measures identity with ArcFace if launch.weights has installed it, else
  with the model's own E.

  Args:
    model: Model.

  Raises:
    UserError: damaged weights of ArcFace.
  """
  return assemble(model, (DETECTOR, make_detector()), find_arcface())
