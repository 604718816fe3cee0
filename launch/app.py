"""What every entry point shares: parsing, one-line errors, exit codes."""

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from absl import app, flags

from flaxheads.data.output_files import check_writable
from flaxheads.errors import RunFailedError, RunPausedError, UserError, behind

from . import _config_flags, _flag_errors, _interrupts, _logs
from ._messages import exit_with_usage_error, say

DONE, FAILED, INTERRUPTED = 0, 1, _interrupts.EXIT_CODE
PREEMPTED = 75  # EX_TEMPFAIL of sysexits.h: the same command resumes
_ADVICE = {
  errno.ENOSPC: 'make room, or name another place',
  errno.EDQUOT: 'make room, or name another place',
  errno.EROFS: 'name a place that you may write to',
}
_TFDS_DISK_FULL = 'Not enough disk space'  # it checks before it writes
_positional: list[str] | None = None  # of a command that takes file names


def _innermost_user_error(error: BaseException) -> UserError | None:
  # absl and ml_collections wrap what a config's own checks raise, the latter
  # in the same type around a traceback: the innermost is the message.
  found = None
  for cause in behind(error):
    found = cause if isinstance(cause, UserError) else found
  return found


def _describe_disk_error(error: BaseException) -> str:
  """One line if a full or read-only disk caused the error; else ''."""
  for cause in behind(error):
    file = str(getattr(cause, 'filename', None) or '')
    if any(part.startswith('.') for part in file.split('/')):
      file = ''  # a temporary name says nothing
    text = str(cause).replace(_TFDS_DISK_FULL, os.strerror(errno.ENOSPC))
    for number, advice in _ADVICE.items():
      if os.strerror(number) in text:
        return f'{f"{file}: " if file else ""}{os.strerror(number)}; {advice}'
    if isinstance(cause, PermissionError) and file:
      return f'{file}: {cause.strerror}; name another place'
  return ''


def _parse_flags(argv):
  try:
    rest = flags.FLAGS(argv)
  except flags.Error as error:
    cause = _innermost_user_error(error)
    exit_with_usage_error(str(cause or _flag_errors.of_flag(error)))
  except UserError as error:  # a config that checks itself
    exit_with_usage_error(str(error))
  except SystemExit:  # --help has printed; absl exits with 1
    sys.exit(DONE)
  except KeyError as error:
    _config_flags.refuse_unknown_field(error)
  except OSError as error:  # an override of a config that was not read
    exit_with_usage_error(_flag_errors.of_config(error))
  except (SyntaxError, AttributeError, ImportError) as error:
    # Anything else that a config raises while it runs is a defect of it.
    if not (message := _flag_errors.of_config_source(error)):
      raise
    exit_with_usage_error(message)
  if len(rest) > 1 and _positional is None:
    exit_with_usage_error(f'{rest[1]!r} is not a flag; write --name=value')
  if _positional is not None:
    _positional[:] = rest[1:]
  _config_flags.check_configs_were_read()
  return rest


def take_files(what: str) -> Callable[[], list[str]]:
  """Lets a command take file names before and after its flags.

  Args:
    what: the files are, for the message where none is given.

  Returns:
    A function that returns the names after parsing.
  """
  global _positional
  _positional = names = []

  def files():
    if not names:
      raise UserError(f'no file is given; name {what}')
    return list(names)

  return files


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


def _run_main(main: Callable[[], None]) -> None:
  try:
    main()
  except UserError as error:
    exit_with_usage_error(str(error))
  except RunFailedError as error:
    say(str(error))
    sys.exit(FAILED)
  except RunPausedError as error:
    say(str(error))
    sys.exit(INTERRUPTED if error.by_user else PREEMPTED)
  except KeyboardInterrupt:
    _interrupts.stop_repeating()
    say('interrupted')
    sys.exit(INTERRUPTED)
  except Exception as error:
    if message := _flag_errors.of_platforms():
      exit_with_usage_error(message)
    if not (message := _describe_disk_error(error)):
      raise
    say(message)
    sys.exit(FAILED)


def run(main: Callable[[], None]) -> None:
  """Parses the flags, runs `main` and exits.

  Exit codes: 0 done; 1 failed, by a defect or by the machine; 2 usage error,
  with one line on stderr and no traceback; 75 preempted after a checkpoint was
  saved, so that the same command resumes; 130 interrupted.

  Args:
    main: takes nothing, reads its flags, raises UserError for a user error.
  """

  def with_flags(argv):
    del argv
    _logs.log_warnings_only()
    _run_main(main)

  app.run(with_flags, flags_parser=_parse_flags)
