"""Comparators that were trained: their folders, as models have them."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.config import Checked
from flaxheads.errors import UserError
from flaxheads.experiments import read_config
from flaxheads.fewshot import folders
from flaxheads.training.baselines import pix2pixhd_game, x2face

KIND = 'baseline'
# Not `perceptual`: paths of the trainer's machine mean nothing elsewhere.
_LEFT_OUT = ('perceptual', 'data', 'augment')


class Trained(NamedTuple):
  """A trained comparator.

  Attributes:
    config: X2FaceConfig or Pix2pixHDConfig; read from a folder, without data,
      augmentation and files of content networks.
    variables: X2Face: {'params', 'batch_stats'}; Pix2pixHD: {'generator',
      'discriminator'}.
    info: how it came to be, such as {'step', 'dataset', 'perceptual'}; the
      last names the content networks that it was trained with.
  """

  config: Checked
  variables: dict
  info: dict


def _variables(state) -> dict:
  return state.variables if hasattr(state, 'variables') else state.params


def from_state(state, config: Checked) -> Trained:
  """What a training state leaves.

  Args:
    state: of flaxheads.training.loop.restore.
    config: of the same.
  """
  files = dataclasses.asdict(config.perceptual)
  info = {
    'step': int(state.step),
    'dataset': config.data.dataset,
    'seed': config.seed,
    'perceptual': [name for name, path in files.items() if path],
  }
  return Trained(config, _variables(state), info)


def save(folder: str, trained: Trained, dtype: str = 'float16') -> None:
  """Writes a folder; see flaxheads.fewshot.folders.save.

  Args:
    folder: its name.
    trained: what to write.
    dtype: of the stored tensors: float32, float16 or bfloat16.
  """
  config = dataclasses.asdict(trained.config)
  folders.save(
    folder,
    KIND,
    {
      'config': {k: v for k, v in config.items() if k not in _LEFT_OUT},
      'info': trained.info,
    },
    jax.tree.map(lambda x: jnp.asarray(x, dtype), trained.variables),
  )


def _expected(config: Checked):
  init = {
    'x2face': x2face.init_variables,
    'pix2pixhd': pix2pixhd_game.init_params,
  }[config.kind]
  return jax.eval_shape(lambda: init(config.model, jax.random.key(0)))


def load(folder: str, baseline: str) -> Trained:
  """Reads a folder.

  Args:
    folder: its name.
    baseline: which comparator it has to hold.

  Raises:
    UserError: no comparator, another one, changed, or of sizes that do not
      fit its config.
  """
  description, tree = folders.load(folder, KIND)
  values = description.get('config', {})
  found = values.get('kind')
  if found != baseline:
    raise UserError(f'{folder}: holds {found!r}, not {baseline!r}')
  config = read_config(values)
  folders.check_tree(folder, tree, _expected(config))
  return Trained(config, tree, description.get('info', {}))
