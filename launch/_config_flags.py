"""Flags for the fields of dataclasses: --config.training.num_steps=100."""

import dataclasses
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from absl import flags
from ml_collections import config_flags

from flaxheads.errors import UserError

from . import _flag_errors
from ._messages import exit_with_usage_error

if TYPE_CHECKING:
  from flaxheads.config import Checked


def refuse_unknown_field(error: KeyError, name: str = 'config') -> None:
  """Exits with a usage error if a flag names a field that does not exist.

  ml_collections raises a bare KeyError where it looks up the field. Any other
  KeyError is a defect of a config file, and is raised again.
  """
  *_, (frame, _) = traceback.walk_tb(error.__traceback__)
  if not frame.f_code.co_filename.endswith('config_path.py'):
    raise error
  message = str(error.args[0])
  holder, path = (frame.f_locals.get(k) for k in ('holder', 'config_path'))
  if dataclasses.is_dataclass(holder):
    fields = ', '.join(field.name for field in dataclasses.fields(holder))
    message = f'{name}.{path}: no such field; there are {fields}'
  exit_with_usage_error(message)


def check_configs_were_read() -> None:
  """Exits with a usage error if the file of a config flag was not read.

  ml_collections itself reports it at the first use of the config.
  """
  for name in flags.FLAGS:
    value = flags.FLAGS[name].value
    if type(value).__name__ == '_ErrorConfig':
      exit_with_usage_error(_flag_errors.of_config(value._error))


def define_config(name: str, default, help_string: str = ''):
  """Defines a flag for every field of a dataclass: --NAME.field=value.

  Args:
    name: of the flag.
    default: the dataclass with its default values.
    help_string: what --help says.

  Returns:
    The flag's holder; `.value` is the dataclass after parsing.
  """
  try:
    return config_flags.DEFINE_config_dataclass(
      name, default, help_string=help_string
    )
  except KeyError as error:  # it reads sys.argv at its definition
    refuse_unknown_field(error, name)


def define_experiment() -> Callable[[], 'Checked']:
  """Defines --config.

  Returns:
    A function that returns the checked experiment after parsing. It raises
    UserError if --config is missing, is no experiment, or has a field whose
    value is not allowed.
  """
  holder = config_flags.DEFINE_config_file(
    'config', None, 'A file in configs/.'
  )

  def experiment():
    from flaxheads.config import Checked

    if holder.value is None:
      raise UserError('--config is missing; configs/ holds the presets')
    if not isinstance(holder.value, Checked):
      path = config_flags.get_config_filename(flags.FLAGS['config'])
      kind = type(holder.value).__name__
      raise UserError(
        f'--config={path}: get_config() returns {kind}, not an experiment; '
        'configs/ holds the presets'
      )
    return holder.value.validate()

  return experiment


def override(name: str, config):
  """A copy of a config with the fields that the command line gives.

  Args:
    name: of a flag of `define_config`.
    config: a dataclass of the same type, such as that of a model; fields that
      no flag names keep their value.
  """
  given = config_flags.get_override_values(flags.FLAGS[name])
  return dataclasses.replace(config, **given)
