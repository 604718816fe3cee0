"""From the config of an experiment to what the loop trains."""

import functools

from flaxheads import networks as nets
from flaxheads.baseline_config import Pix2pixHDConfig, X2FaceConfig
from flaxheads.config import Checked, Config
from flaxheads.face_identity_config import FaceIdentityConfig
from flaxheads.training import face_identity, sampling
from flaxheads.training.baselines import pix2pixhd, x2face
from flaxheads.training.content import build_content
from flaxheads.training.recipe import Recipe
from flaxheads.training.state import TrainState, create_state, describe_state
from flaxheads.training.step import make_train_step


def _meta_training(config: Config) -> Recipe:
  """E, G and D."""
  networks = nets.build_networks(config.model)
  content = build_content(config)
  return Recipe(
    content.params,
    functools.partial(describe_state, config, networks),
    functools.partial(create_state, config, networks),
    functools.partial(make_train_step, config, networks, content),
    functools.partial(sampling.make_sampler, networks),
    {'content': 'generator/content', 'hinge': 'discriminator/hinge'},
  )


_KINDS = {
  Config: (_meta_training, TrainState),
  X2FaceConfig: (x2face.make_recipe, x2face.State),
  Pix2pixHDConfig: (pix2pixhd.make_recipe, pix2pixhd.State),
  FaceIdentityConfig: (face_identity.make_recipe, face_identity.State),
}


def make_recipe(config: Checked) -> Recipe:
  """The recipe of an experiment.

  Raises:
    UserError: a weight file of a content network can not be used.
  """
  make, _ = _KINDS[type(config)]
  return make(config)


def state_type(config: Checked) -> type:
  """The class of the experiment's training state."""
  return _KINDS[type(config)][1]
