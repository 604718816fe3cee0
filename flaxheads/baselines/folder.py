"""Folders of trained baselines, in the format of model folders."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from flaxheads.config import Checked, from_dict
from flaxheads.errors import UserError
from flaxheads.fewshot import folders

KIND = 'baseline'
# Not `perceptual`: paths of the trainer's machine mean nothing elsewhere.
_LEFT_OUT = ('perceptual', 'data', 'augment')


class TrainedBaseline(NamedTuple):
  """A trained baseline.

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


def from_state(state, config: Checked) -> TrainedBaseline:
  """What a training state leaves.

  Args:
    state: of flaxheads.experiments.restore.
    config: of the same.
  """
  files = dataclasses.asdict(config.perceptual)
  info = {
    'step': int(state.step),
    'dataset': config.data.dataset,
    'seed': config.seed,
    'perceptual': [name for name, path in files.items() if path],
  }
  return TrainedBaseline(config, state.variables, info)


def save(folder: str, trained: TrainedBaseline, dtype: str = 'float16') -> None:
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


def load(folder: str, config_type: type, init_variables: Callable):
  """Reads a folder.

  Args:
    folder: its name.
    config_type: of the baseline that it has to hold.
    init_variables: (config.model, key) -> fresh variables, for their shapes.

  Returns:
    TrainedBaseline.

  Raises:
    UserError: no baseline, another one, changed, or of sizes that do not fit
      its config.
  """
  description, tree = folders.load(folder, KIND)
  values = description.get('config', {})
  kind, found = config_type().kind, values.get('kind')
  if found != kind:
    raise UserError(f'{folder}: holds {found!r}, not {kind!r}')
  config = from_dict(values, config_type)
  like = jax.eval_shape(lambda: init_variables(config.model, jax.random.key(0)))
  folders.check_tree(folder, tree, like)
  return TrainedBaseline(config, tree, description.get('info', {}))
