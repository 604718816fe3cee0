"""Checks that the folder of a run belongs to one experiment."""

import dataclasses
import json

from etils import epath

from flaxheads.config import Checked
from flaxheads.errors import UserError
from flaxheads.training import parallel

_CONFIG_FILE = 'config.json'
# Fields that may change when a run resumes; the others define the experiment.
_MAY_CHANGE = {
  'training.num_steps',
  'training.accumulation_steps',
  'training.remat',
  'training.log_every',
  'training.sample_every',
  'training.checkpoint_every',
  'training.keep_checkpoints',
  'data.data_dir',
  'data.num_workers',
}
# The fields of `perceptual` that are no files.
_PERCEPTUAL_SETTINGS = {'perceptual.pooling', 'perceptual.face_crop'}


def _flatten(tree: dict, prefix='') -> dict:
  flat = {}
  for name, value in tree.items():
    path = f'{prefix}{name}'
    if isinstance(value, dict) and not path.startswith('finetune'):
      flat |= _flatten(value, f'{path}.')
    elif not path.startswith('finetune'):
      flat[path] = value
  return flat


def claim_workdir(workdir: str, config: Checked) -> None:
  """Makes the folder, or checks that its run is this experiment.

  Args:
    workdir: folder of the run.
    config: the experiment.

  Raises:
    UserError: the folder is a file, or holds a run of another experiment.
  """
  path = epath.Path(workdir) / _CONFIG_FILE
  now = dataclasses.asdict(config)
  try:
    if path.exists():
      # A field that is newer than the run has its default.
      defaults = _flatten(dataclasses.asdict(type(config)()))
      before = defaults | _flatten(json.loads(path.read_text()))
      _check_same(workdir, before, _flatten(now))
    if not parallel.is_first_process():
      return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written again, because some fields (length, fine-tuning) may change.
    part = path.with_suffix('.part')
    part.write_text(json.dumps(now, indent=2))
    part.replace(path)
  except OSError as error:
    raise UserError(f'--workdir={workdir}: {error.strerror or error}') from None
  except ValueError as error:
    if isinstance(error, UserError):
      raise
    raise UserError(
      f'{path}: not the JSON of a config; give another --workdir'
    ) from None


def _check_same(workdir, before, now):
  for field in sorted(set(before) | set(now)):
    old, new = before.get(field), now.get(field)
    is_file = (
      field.startswith('perceptual.') and field not in _PERCEPTUAL_SETTINGS
    )
    if is_file:  # files may move, but not come or go
      old, new = bool(old), bool(new)
    if field not in _MAY_CHANGE and old != new:
      raise UserError(
        f'--workdir={workdir}: holds a run with {field}='
        f'{before.get(field)}, not {now.get(field)}; give another --workdir, '
        'or the same setting to resume'
      )


def check_same_data(workdir: str, before: dict, now: dict) -> None:
  """Raises UserError if a run would resume with other data.

  Row i of W is video i: on another dataset it would belong to another person.
  """
  for name in sorted(set(before) | set(now)):
    if before.get(name) != now.get(name):
      raise UserError(
        f'--workdir={workdir}: was trained on other data ({name} was '
        f'{before.get(name)}, is {now.get(name)}); give another --workdir, or '
        'the dataset that it began with'
      )


def load_config(workdir: str) -> dict:
  """The config of the run in `workdir`, as nested dicts.

  Raises:
    UserError: the folder holds no run.
  """
  try:
    values = json.loads((epath.Path(workdir) / _CONFIG_FILE).read_text())
    if not isinstance(values, dict):
      raise ValueError
    return values
  except (OSError, ValueError):
    raise UserError(
      f'--workdir={workdir}: holds no run; launch.train makes one'
    ) from None
