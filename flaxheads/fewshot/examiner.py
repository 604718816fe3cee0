"""What fine-tuning examines held-out frames with: a detector, an identity.

Identity is the cosine of ArcFace embeddings where their weights are at hand.
Elsewhere the model's own embedder E stands in: its ê says who somebody is, and
fine-tuning does not change it. It is called by its own name, never CSIM.
"""

import functools

import jax
import numpy as np
from absl import logging

from flaxheads import networks as nets
from flaxheads.data.pixels import to_float
from flaxheads.errors import UserError
from flaxheads.fewshot.held_out import Examiner
from flaxheads.fewshot.model import Model
from flaxheads.fewshot.person import check_frames
from flaxheads.landmarks.detect import make_detector
from flaxheads.landmarks.rasterise import rasterise_landmarks
from flaxheads.metrics import identity
from flaxheads.weights import store

_DETECTOR = 'mediapipe'
_ARCFACE = ('arcface_r50', 'arcface_r100')  # the usual one first
STAND_IN = "cosine of the model's own embeddings"


@functools.lru_cache(maxsize=8)
def _embedder(networks: nets.Networks):
  @jax.jit
  def embed(params, frames, points):
    pictures = rasterise_landmarks(points, networks.embedder.image_size)
    # [H, 1, ...]: a person for each frame
    return nets.embed_people(
      networks, params, to_float(frames)[:, None], pictures[:, None]
    )

  return embed


def embed_with_model(model: Model):
  """ê of each frame by itself.

  Args:
    model: Model.

  Returns:
    A function of frames uint8 [H, S, S, 3] and points [H, 68, 2], in pixels,
    that returns float32 [H, N].
  """

  def embed(frames, points):
    check_frames(model.config, frames, points)
    params = model.normal['embedder']
    points = np.asarray(points, np.float32)
    return np.asarray(_embedder(model.networks)(params, frames, points))

  return embed


def embed_with_arcface(network):
  """ArcFace's embedding of the face at the given points.

  Args:
    network: flaxheads.metrics.networks.MetricNetwork.

  Returns:
    A function of frames uint8 [H, S, S, 3] and points [H, 68, 2], in pixels,
    that returns float32 [H, 512].
  """
  return lambda frames, points: network(identity.align(frames, points))


def find_arcface():
  """ArcFace from where launch.weights puts it; None where it is not.

  Raises:
    UserError: a damaged file.
  """
  for name in _ARCFACE:
    if store.default_path(name).is_file():
      from flaxheads.metrics import networks  # late: it need not be there

      return networks.load_network(name)
  return None


def assemble(model: Model, detector=None, arcface=None) -> Examiner:
  """The examiner of a model's people, of what there is.

  Args:
    model: Model.
    detector: (name, function) of flaxheads.landmarks.detect; None: no landmark
      errors.
    arcface: MetricNetwork; None: the model's own E stands in.
  """
  name, detect = detector or (None, None)
  if arcface is None:
    return Examiner(detect, embed_with_model(model), name, STAND_IN)
  mark = f' ({arcface.mark})' if arcface.mark else ''
  embed = embed_with_arcface(arcface)
  return Examiner(detect, embed, name, f'CSIM{mark}', arcface.digest)


def make_examiner(model: Model) -> Examiner:
  """The usual examiner of a model's people.

  MediaPipe, and ArcFace where launch.weights has put it; else the model's own
  E stands in. Where MediaPipe is not installed landmarks are left out, and a
  warning says so.

  Args:
    model: Model.

  Raises:
    UserError: damaged weights of ArcFace.
  """
  try:
    detector = _DETECTOR, make_detector(_DETECTOR)
  except UserError as error:
    logging.warning('%s; fine-tuning goes without landmark errors', error)
    detector = None
  return assemble(model, detector, find_arcface())
