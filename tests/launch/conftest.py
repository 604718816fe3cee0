"""What tests of the commands share: a model that never learned, a person."""

from typing import NamedTuple

import jax
import numpy as np
import pytest

import flaxheads
from configs import tiny
from flaxheads import networks as nets
from flaxheads.data.image import write_png
from flaxheads.data.support import load_support
from flaxheads.fewshot.direct import DirectPerson, without_projection
from flaxheads.landmarks.landmark_files import save_landmarks
from flaxheads.models import spectral
from tests.launch import footage

SIZE = 32


class Things(NamedTuple):
  """Paths of what is well made."""

  folder: object
  model: object
  person: object
  picture: object
  group: object
  video: object
  landmarks: object  # of the picture


def _random_tensors(config):
  """Parameters and spectral vectors, small numbers, without a compilation."""

  def make(key):
    params = nets.init_params(nets.build_networks(config), key)
    return params, {
      k: spectral.init_spectral(key, v) for k, v in params.items()
    }

  rng = np.random.default_rng(0)
  return jax.tree.map(
    lambda like: rng.normal(0, 0.1, like.shape).astype(np.float32),
    jax.eval_shape(make, jax.random.key(0)),
  )


def write_model(path, size: int = SIZE):
  """Writes a model of random weights; its config and parameters."""
  config = tiny.get_config()
  config.model.image_size = size
  params, vectors = _random_tensors(config.model)
  model = flaxheads.Model(config, params, vectors, {'step': 0})
  flaxheads.save_model(path, model)
  return config, params


@pytest.fixture(scope='session')
def things(tmp_path_factory) -> Things:
  """A model of random weights, a person of it, and footage of one face."""
  folder = tmp_path_factory.mktemp('things')
  things = Things(
    folder,
    folder / 'model',
    folder / 'person',
    folder / 'picture.png',
    folder / 'group.png',
    folder / 'video.mp4',
    folder / 'picture.npz',
  )
  write_png(things.picture, footage.portrait())
  write_png(things.group, footage.two_faces())
  footage.write_video(things.video, 6, 25)
  config, params = write_model(things.model)
  support = load_support(things.picture, SIZE)
  save_landmarks(things.landmarks, support.points)
  generator = without_projection(params['generator'])
  num_adain_params = nets.build_networks(
    config.model
  ).generator.num_adain_params
  person = DirectPerson(
    config=config.model,
    generator=generator,
    adain_params=np.zeros(num_adain_params, np.float32),
    frame=support.frames[0],
    support_points=support.points,
    info={'method': 'feed-forward', 'num_shots': 1},
    portrait=support.portrait,
  )
  flaxheads.save_person(things.person, person)
  return things


@pytest.fixture(scope='session')
def talking(things, tmp_path_factory):
  """The video of a face, 6 frames, with a tone."""
  path = tmp_path_factory.mktemp('talking') / 'talking.mkv'
  footage.write_talking(path, things.video)
  return path
