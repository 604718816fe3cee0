"""Checkpoints of a run, with Orbax: the whole state, nothing else needed.

A sample is a function of the seed and the step, so that the step number in
the state is also the state of the data pipeline.
"""

import dataclasses
import json
import os

import jax
import orbax.checkpoint as ocp

from flaxheads.config import Config
from flaxheads.errors import UserError
from flaxheads.training import parallel

_CONFIG_FILE = 'config.json'
# Fields that may change when a run goes on; all others are the experiment.
_FREE = {
  'training.num_steps',
  'training.log_every',
  'training.sample_every',
  'training.checkpoint_every',
  'training.keep_checkpoints',
  'data.data_dir',
  'data.num_workers',
}


def _flatten(tree: dict, prefix='') -> dict:
  flat = {}
  for name, value in tree.items():
    path = f'{prefix}{name}'
    if isinstance(value, dict) and not path.startswith('finetune'):
      flat |= _flatten(value, f'{path}.')
    elif not path.startswith('finetune'):
      flat[path] = value
  return flat


def claim_workdir(workdir: str, config: Config) -> None:
  """Makes the folder, or checks that its run is this experiment.

  Args:
    workdir: folder of the run.
    config: the experiment.

  Raises:
    UserError: the folder is a file, or holds a run of another experiment:
      a stale checkpoint is never taken for one's own.
  """
  path = os.path.join(workdir, _CONFIG_FILE)
  try:
    os.makedirs(workdir, exist_ok=True)
    now = dataclasses.asdict(config)
    if os.path.exists(path):
      with open(path, encoding='utf-8') as file:
        _check_same(workdir, _flatten(json.load(file)), _flatten(now))
    # Written again: what may change (length, fine-tuning) counts as it is now.
    with open(f'{path}.part', 'w', encoding='utf-8') as file:
      json.dump(now, file, indent=2)
    os.replace(f'{path}.part', path)
  except OSError as error:
    raise UserError(f'--workdir={workdir}: {error.strerror}') from None
  except ValueError as error:
    if isinstance(error, UserError):
      raise
    raise UserError(
      f'{path}: not the JSON of a config; give another --workdir'
    ) from None


def _check_same(workdir, before, now):
  for field in sorted(set(before) | set(now)):
    old, new = before.get(field), now.get(field)
    if field.startswith('perceptual.'):  # files may move, but not come or go
      old, new = bool(old), bool(new)
    if field not in _FREE and old != new:
      raise UserError(
        f'--workdir={workdir}: holds a run with {field}='
        f'{before.get(field)}, not {now.get(field)}; give another --workdir, '
        'or the same setting to go on'
      )


class Checkpoints:
  """The newest checkpoints of one run; saving goes on in the background."""

  def __init__(self, workdir: str, keep: int = 3):
    self._manager = ocp.CheckpointManager(
      os.path.join(os.path.abspath(workdir), 'checkpoints'),
      item_handlers=ocp.StandardCheckpointHandler(),
      options=ocp.CheckpointManagerOptions(
        max_to_keep=keep, enable_async_checkpointing=True
      ),
    )

  def latest_step(self) -> int | None:
    """Step of the newest checkpoint; None where there is none."""
    return self._manager.latest_step()

  def save(self, step: int, state) -> None:
    """Saves the state unless that step is saved already."""
    if self._manager.latest_step() != step:
      self._manager.save(step, args=ocp.args.StandardSave(state))

  def restore(self, step: int, state):
    """The state of `step`, placed on devices as `state` is.

    Args:
      step: from `latest_step`.
      state: a state of the same structure; gives shapes and placement.
    """
    like = jax.tree.map(ocp.utils.to_shape_dtype_struct, state)
    return self._manager.restore(step, args=ocp.args.StandardRestore(like))

  def restore_raw(self, step: int, mesh: parallel.Mesh) -> dict:
    """All leaves of `step`, replicated over `mesh`, as nested dicts.

    For readers that know neither the number of videos nor the optimiser.
    """
    saved = self._manager.item_metadata(step)
    like = jax.tree.map(lambda leaf: parallel.describe_leaf(leaf, mesh), saved)
    return self._manager.restore(step, args=ocp.args.StandardRestore(like))

  def close(self) -> None:
    """Waits for a save under way."""
    self._manager.wait_until_finished()
    self._manager.close()


def load_config(workdir: str) -> dict:
  """The config of the run in `workdir`, as nested dicts.

  Raises:
    UserError: the folder holds no run.
  """
  path = os.path.join(workdir, _CONFIG_FILE)
  try:
    with open(path, encoding='utf-8') as file:
      values = json.load(file)
    if not isinstance(values, dict):
      raise ValueError
    return values
  except (OSError, ValueError):
    raise UserError(
      f'--workdir={workdir}: holds no run; launch.train makes one'
    ) from None
