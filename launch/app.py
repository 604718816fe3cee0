"""What every entry point shares: parsing, one-line errors, exit codes."""

import dataclasses
import errno
import logging as std_logging
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from absl import app, flags, logging
from ml_collections import config_flags
from tqdm import tqdm

import flaxheads
from flaxheads.data.output_files import check_writable
from flaxheads.errors import (
  RunFailedError,
  RunPausedError,
  UserError,
  behind,
)

from . import _flag_errors
from ._interrupts import INTERRUPTED, ended, say

if TYPE_CHECKING:
  from flaxheads.config import Checked

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2
GO_ON_LATER = 75  # EX_TEMPFAIL of sysexits.h


def _refuse(message: str) -> None:
  say(message)
  sys.exit(ASKED_WRONGLY)


def _user_error_behind(error: BaseException) -> UserError | None:
  # absl and ml_collections wrap what a config's own checks raise, the latter
  # in the same type around a traceback: the innermost is the message.
  found = None
  for cause in behind(error):
    found = cause if isinstance(cause, UserError) else found
  return found


# What a disk or a folder refuses, in whatever type a library says it.
_TROUBLE = {
  errno.ENOSPC: 'make room, or name another place',
  errno.EDQUOT: 'make room, or name another place',
  errno.EROFS: 'name a place that you may write to',
}

_OF_TFDS = 'Not enough disk space'  # which looks before it writes


def _disk_trouble(error: BaseException) -> str:
  """One line, where a full or read-only disk is behind an error; else ''."""
  for cause in behind(error):
    file = str(getattr(cause, 'filename', None) or '')
    if any(part.startswith('.') for part in file.split('/')):
      file = ''  # a temporary name says nothing
    said = str(cause).replace(_OF_TFDS, os.strerror(errno.ENOSPC))
    for number, advice in _TROUBLE.items():
      if os.strerror(number) in said:
        return f'{f"{file}: " if file else ""}{os.strerror(number)}; {advice}'
    if isinstance(cause, PermissionError) and file:
      return f'{file}: {cause.strerror}; name another place'
  return ''


def _refuse_unknown_field(error: KeyError, name: str = 'config') -> None:
  # ml_collections raises a bare KeyError where it looks up a config's field;
  # any other KeyError is a defect of a config file.
  *_, (frame, _) = traceback.walk_tb(error.__traceback__)
  if not frame.f_code.co_filename.endswith('config_path.py'):
    raise error
  message = str(error.args[0])
  holder, path = (frame.f_locals.get(k) for k in ('holder', 'config_path'))
  if dataclasses.is_dataclass(holder):
    fields = ', '.join(field.name for field in dataclasses.fields(holder))
    message = f'{name}.{path}: no such field; there are {fields}'
  _refuse(message)


def _check_configs_were_read() -> None:
  # ml_collections would only tell at the first use of the config.
  for name in flags.FLAGS:
    value = flags.FLAGS[name].value
    if type(value).__name__ == '_ErrorConfig':
      _refuse(_flag_errors.of_config(value._error))


def _parse_flags(argv):
  try:
    rest = flags.FLAGS(argv)
  except flags.Error as error:
    cause = _user_error_behind(error)
    _refuse(str(cause or _flag_errors.of_flag(error)))
  except UserError as error:  # a config that checks itself
    _refuse(str(error))
  except SystemExit:  # --help has printed; absl calls that a failure
    sys.exit(DONE)
  except KeyError as error:
    _refuse_unknown_field(error)
  except OSError as error:  # an override of a config that was not read
    _refuse(_flag_errors.of_config(error))
  except (SyntaxError, AttributeError) as error:
    # Anything else that a config raises while it runs is a defect of it.
    if not (said := _flag_errors.of_config_source(error)):
      raise
    _refuse(said)
  if len(rest) > 1 and _files is None:
    _refuse(f'{rest[1]!r} is not a flag; write --name=value')
  if _files is not None:
    _files[:] = rest[1:]
  _check_configs_were_read()
  return rest


_files: list[str] | None = None  # of a command that takes some


def take_files(what: str) -> Callable[[], list[str]]:
  """Lets a command take names that are no flags, before and after its flags.

  Args:
    what: they are, for the message where none is given.

  Returns:
    A function that gives them after parsing.
  """
  global _files
  _files = files = []

  def given():
    if not files:
      raise UserError(f'no file is given; name {what}')
    return list(files)

  return given


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
    _refuse_unknown_field(error, name)


def define_experiment() -> Callable[[], 'Checked']:
  """Defines --config.

  Returns:
    A function that returns the experiment after parsing, checked. It raises
    UserError where --config is missing, gives something else, or has a field
    that is not allowed.
  """
  holder = config_flags.DEFINE_config_file(
    'config', None, 'A file in configs/.'
  )

  def given():
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

  return given


def check_given(*holders: flags.FlagHolder) -> None:
  """Raises UserError for a flag without a value."""
  for holder in holders:
    if not holder.value:
      help_string = flags.FLAGS[holder.name].help
      raise UserError(f'--{holder.name} is missing: {help_string}')


def check_folder(flag: str, value: str) -> None:
  """Raises UserError unless a flag names a folder to write to, or a new one."""
  folder = Path(value).expanduser()
  if folder.exists() and not folder.is_dir():
    raise UserError(f'--{flag}={value}: a file; name a folder')
  check_writable(folder)


def config_with_flags(name: str, config):
  """A config with the fields that the command line gives.

  Args:
    name: of a flag of `define_config`.
    config: a dataclass of the same type, say the one a model came with.

  Returns:
    A copy; fields that no flag names keep their value.
  """
  given = config_flags.get_override_values(flags.FLAGS[name])
  return dataclasses.replace(config, **given)


class _Bar(tqdm):
  """A bar that ends its line once it was drawn, whoever asked for that.

  A warning draws all bars anew behind itself, also those that are too young to
  be seen; `tqdm.close` takes these for never drawn, and the next message would
  stand behind them.
  """

  _drawn = False

  def display(self, *args, **kwargs):
    self._drawn = True
    return super().display(*args, **kwargs)

  def close(self):
    if self._drawn:
      self.delay = 0
    super().close()


def progress_bar(*args, **kwargs) -> tqdm:
  """A tqdm bar that stays away from short work and keeps logs short.

  Args:
    *args: of tqdm.
    **kwargs: of tqdm.
  """
  interval = 0.1 if sys.stderr.isatty() else 30
  return _Bar(*args, **{'delay': 1, 'mininterval': interval, **kwargs})


class _Plain(std_logging.Handler):
  """Warnings look like the messages of the command itself."""

  def emit(self, record):
    with tqdm.external_write_mode(sys.stderr):  # not in the middle of a bar
      say(f'{record.levelname.lower()}: {record.getMessage()}')


def _is_ours(record: std_logging.LogRecord) -> bool:
  here = os.path.dirname(os.path.abspath(__file__))
  ours = (*flaxheads.__path__, here)
  return record.levelno > std_logging.INFO or record.pathname.startswith(ours)


def _log_with(handler: std_logging.Handler) -> None:
  for old in list(std_logging.root.handlers):
    if isinstance(old, _Plain) or old is logging.get_absl_handler():
      std_logging.root.removeHandler(old)
  std_logging.root.addHandler(handler)


def _keep_calm() -> None:
  # Libraries tell at INFO which accelerators they did not find.
  logging.use_absl_handler()
  logging.get_absl_handler().removeFilter(_is_ours)
  if not flags.FLAGS['verbosity'].present:
    logging.set_verbosity(logging.WARNING)
    _log_with(_Plain())


def log_info() -> None:
  """For long runs: our own INFO messages, timed, unless --verbosity is given.

  Those of libraries stay away.
  """
  if flags.FLAGS['verbosity'].present:
    return
  logging.get_absl_handler().addFilter(_is_ours)
  logging.set_verbosity(logging.INFO)
  _log_with(logging.get_absl_handler())


def run(main: Callable[[], None]) -> None:
  """Parses the flags, runs `main` and exits.

  Exit codes: 0 done; 1 failed, by a defect of ours or of the machine; 2 asked
  wrongly, with one line on stderr and no traceback; 75 preempted after a save:
  the same command goes on; 130 interrupted.

  Args:
    main: takes nothing, reads its flags, raises UserError for a mistake.
  """

  def guarded(argv):
    del argv
    _keep_calm()
    try:
      main()
    except UserError as error:
      _refuse(str(error))
    except RunFailedError as error:
      say(str(error))
      sys.exit(FAILED)
    except RunPausedError as error:
      say(str(error))
      sys.exit(INTERRUPTED if error.by_user else GO_ON_LATER)
    except KeyboardInterrupt:
      ended()
      say('interrupted')
      sys.exit(INTERRUPTED)
    except Exception as error:
      if missing := _flag_errors.of_platforms():
        _refuse(missing)
      if not (trouble := _disk_trouble(error)):
        raise
      say(trouble)
      sys.exit(FAILED)

  app.run(guarded, flags_parser=_parse_flags)
