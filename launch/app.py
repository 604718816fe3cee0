"""What every entry point shares: parsing, one-line errors, exit codes."""

import dataclasses
import sys
import traceback
from collections.abc import Callable

from absl import app, flags, logging
from ml_collections import config_flags

from flaxheads.errors import UserError

DONE, FAILED, ASKED_WRONGLY = 0, 1, 2


def _refuse(message: str) -> None:
  program = sys.argv[0].rsplit('/', 1)[-1].removesuffix('.py')
  one_line = ' '.join(message.split())
  print(f'{program}: {one_line}', file=sys.stderr, flush=True)
  sys.exit(ASKED_WRONGLY)


def _user_error_behind(error: BaseException | None) -> UserError | None:
  # absl and ml_collections wrap what a config's own checks raise, the latter
  # in the same type around a traceback: the innermost is the message.
  found = None
  while error is not None:
    found = error if isinstance(error, UserError) else found
    error = error.__cause__ or error.__context__
  return found


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


def _refuse_unread_config(error: OSError) -> None:
  reason = str(error).strip().splitlines()[-1].strip()
  _refuse(f'--config: {reason}; configs/ holds the presets')


def _check_configs_were_read() -> None:
  # ml_collections would only tell at the first use of the config.
  for name in flags.FLAGS:
    value = flags.FLAGS[name].value
    if type(value).__name__ == '_ErrorConfig':
      _refuse_unread_config(value._error)


def _parse_flags(argv):
  try:
    rest = flags.FLAGS(argv)
  except flags.Error as error:
    cause = _user_error_behind(error)
    _refuse(str(cause or f'{error} (--help lists the flags)'))
  except UserError as error:  # a config that checks itself
    _refuse(str(error))
  except KeyError as error:
    _refuse_unknown_field(error)
  except OSError as error:  # an override of a config that was not read
    _refuse_unread_config(error)
  if len(rest) > 1:
    _refuse(f'{rest[1]!r} is not a flag; write --name=value')
  _check_configs_were_read()
  return rest


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


def run(main: Callable[[], None]) -> None:
  """Parses the flags, runs `main` and exits.

  Exit codes: 0 done; 1 failed, by a defect of ours or of the machine; 2 asked
  wrongly, with one line on stderr and no traceback.

  Args:
    main: takes nothing, reads its flags, raises UserError for a mistake.
  """

  def guarded(argv):
    del argv
    logging.use_absl_handler()
    try:
      main()
    except UserError as error:
      _refuse(str(error))
    except KeyboardInterrupt:
      print('interrupted', file=sys.stderr)
      sys.exit(130)

  app.run(guarded, flags_parser=_parse_flags)
