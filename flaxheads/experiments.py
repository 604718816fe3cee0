"""The registry of all experiments, by the class of their configs."""

import contextlib
import functools
import os
from collections.abc import Callable
from typing import NamedTuple

from flaxheads import fewshot
from flaxheads.baselines import folder
from flaxheads.baselines.pix2pixhd import networks as pix2pixhd_networks
from flaxheads.baselines.pix2pixhd import rendering as pix2pixhd_rendering
from flaxheads.baselines.pix2pixhd import training as pix2pixhd_training
from flaxheads.baselines.pix2pixhd.config import Pix2pixHDConfig
from flaxheads.baselines.x2face import network as x2face_network
from flaxheads.baselines.x2face import rendering as x2face_rendering
from flaxheads.baselines.x2face import training as x2face_training
from flaxheads.baselines.x2face.config import X2FaceConfig
from flaxheads.bilayer_config import BilayerConfig
from flaxheads.config import Checked, Config, from_dict
from flaxheads.errors import UserError
from flaxheads.face_identity import training as face_identity_training
from flaxheads.face_identity import weights as face_identity_weights
from flaxheads.face_identity.config import FaceIdentityConfig
from flaxheads.fewshot import bilayer_model, folders
from flaxheads.training import bilayer, meta_training, parallel
from flaxheads.training.checkpoints import Checkpoints
from flaxheads.training.state import TrainState
from flaxheads.training.workdir import load_config


class Rendering(NamedTuple):
  """How a trained baseline renders.

  Attributes:
    load: name of a folder -> flaxheads.baselines.folder.TrainedBaseline.
    make: (TrainedBaseline, seed) -> the `render` of
      flaxheads.evaluation.protocol.Method.
    driven_by_frames: whether it sees the driver's frames, not its landmarks.
    uses_seed: whether its frames depend on the seed.
  """

  load: Callable
  make: Callable
  driven_by_frames: bool
  uses_seed: bool


class Experiment(NamedTuple):
  """What can be done with one kind of config.

  Attributes:
    config: its class.
    state: class of the training state.
    make_recipe: config -> flaxheads.training.recipe.Recipe; raises UserError
      where a content network's file cannot be used.
    check_output: (output, dtype) raises UserError where an export cannot be
      written there.
    export: (output, config, state, dtype) writes the export and says what it
      is; a dtype of '' is the usual one.
    rendering: of a baseline; None for the others.
  """

  config: type
  state: type
  make_recipe: Callable
  check_output: Callable
  export: Callable
  rendering: Rendering | None = None


_DTYPE = 'float16'  # of an export, where none is given


def _export(output, config, state, dtype, *, module, what) -> str:
  model = module.model_from_state(
    state, config, {'dataset': config.data.dataset, 'seed': config.seed}
  )
  module.save_model(output, model, dtype or _DTYPE)
  return f'the {what} after {model.info["step"]} steps'


def _export_baseline(output, config, state, dtype) -> str:
  baseline = folder.from_state(state, config)
  folder.save(output, baseline, dtype or _DTYPE)
  return f'{config.kind} after {baseline.info["step"]} steps'


def _check_folder(output, dtype, *, kind) -> None:
  del dtype  # every folder has a choice of them
  folders.check_output(output, kind)


def _loader(config: type, init_variables: Callable) -> Callable:
  return functools.partial(
    folder.load, config_type=config, init_variables=init_variables
  )


EXPERIMENTS = {
  'model': Experiment(
    Config,
    TrainState,
    meta_training.make_recipe,
    functools.partial(_check_folder, kind='model'),
    functools.partial(_export, module=fewshot, what='model'),
  ),
  'x2face': Experiment(
    X2FaceConfig,
    x2face_training.State,
    x2face_training.make_recipe,
    functools.partial(_check_folder, kind=folder.KIND),
    _export_baseline,
    Rendering(
      _loader(X2FaceConfig, x2face_network.init_variables),
      x2face_rendering.make_render,
      driven_by_frames=True,
      uses_seed=False,
    ),
  ),
  'pix2pixhd': Experiment(
    Pix2pixHDConfig,
    pix2pixhd_training.State,
    pix2pixhd_training.make_recipe,
    functools.partial(_check_folder, kind=folder.KIND),
    _export_baseline,
    Rendering(
      _loader(Pix2pixHDConfig, pix2pixhd_networks.init_params),
      pix2pixhd_rendering.make_render,
      driven_by_frames=False,
      uses_seed=True,
    ),
  ),
  'face_identity': Experiment(
    FaceIdentityConfig,
    face_identity_training.State,
    face_identity_training.make_recipe,
    face_identity_weights.check_output,
    face_identity_weights.export,
  ),
  'bilayer': Experiment(
    BilayerConfig,
    TrainState,
    bilayer.make_recipe,
    functools.partial(_check_folder, kind='model'),
    functools.partial(_export, module=bilayer_model, what='bi-layer model'),
  ),
}


def find(config: Checked) -> Experiment:
  """The experiment that a config is of."""
  return EXPERIMENTS[getattr(config, 'kind', 'model')]


def make_recipe(config: Checked):
  """What flaxheads.training.loop.train needs beside the config.

  Raises:
    UserError: the file of a content network cannot be used.
  """
  return find(config).make_recipe(config)


def read_config(values: dict) -> Checked:
  """A config of any kind from nested dicts; the model's has no `kind`.

  Raises:
    UserError: no such kind or field, or a value that is not allowed.
  """
  kind = values.get('kind', 'model')
  if not isinstance(kind, str) or kind not in EXPERIMENTS:
    names = ', '.join(name for name in EXPERIMENTS if name != 'model')
    raise UserError(f'kind: {kind!r} is not one of {names}')
  return from_dict(values, EXPERIMENTS[kind].config)


def restore(workdir: str, best: bool = False):
  """The config and a state of a run, on one device, for reading.

  Args:
    workdir: folder of the run.
    best: the state with the least error on the preview batch, not the newest.

  Returns:
    (config, state).

  Raises:
    UserError: the folder holds no run, or no checkpoint yet.
  """
  workdir = os.path.expanduser(workdir)
  config = read_config(load_config(workdir))
  checkpoints = Checkpoints(workdir, config.training.keep_checkpoints)
  with contextlib.closing(checkpoints):
    step = checkpoints.best_step() if best else checkpoints.latest_step()
    if step is None:
      raise UserError(f'--workdir={workdir}: holds no checkpoint yet')
    restored = checkpoints.read(step, parallel.make_mesh(1))
    return config, find(config).state(**restored.state)
