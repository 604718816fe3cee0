"""Errors that a command reports in one line, and checks that raise them."""

import dataclasses
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator

# What zipfile, its decompressors and NumPy raise of a file that is damaged,
# encrypted, of a later version, or whose header asks for more than memory.
ARCHIVE_ERRORS = (
  EOFError,
  KeyError,
  MemoryError,
  OSError,
  RuntimeError,
  SyntaxError,
  ValueError,
  lzma.LZMAError,
  struct.error,
  tokenize.TokenError,
  zipfile.BadZipFile,
  zlib.error,
)


def behind(error: BaseException) -> Iterator[BaseException]:
  """The chain of an error and its causes and contexts."""
  while error is not None:
    yield error
    error = error.__cause__ or error.__context__


class UserError(ValueError):
  """A user error: a wrong file, flag or field.

  The message is one line that names the file or flag, says what is wrong and
  what would be right. Entry points print it and exit with code 2. Any
  other exception that reaches them is a defect.
  """

  def __init__(self, message: str):
    """Args: message; line breaks, as names of files may hold, become spaces."""
    super().__init__(' '.join(str(message).split()))


class RunFailedError(RuntimeError):
  """A failure whose cause is known, described in one line.

  Entry points print it and exit with code 1.
  """


class RunPausedError(Exception):
  """A run has saved a checkpoint on request, and can be resumed.

  Entry points print it and exit with code 130 if a user interrupted the run,
  and with 75 ("try again later") if the machine was preempted.
  """

  def __init__(self, message: str, by_user: bool):
    super().__init__(message)
    self.by_user = by_user


def check_choice(field: str, value, choices) -> None:
  """Raises UserError unless `value` is one of `choices`."""
  if value not in choices:
    listed = ', '.join(str(choice) for choice in choices)
    raise UserError(f'{field}: {value!r} is not one of {listed}')


def check_range(field: str, value, low=None, high=None) -> None:
  """Raises UserError unless low <= value <= high (None: unbounded)."""
  if low is not None and not value >= low:
    raise UserError(f'{field}: {value} is too small; at least {low} is needed')
  if high is not None and not value <= high:
    raise UserError(f'{field}: {value} is too large; at most {high} is allowed')


def check_ranges(part: str, config, low, high=None, fields=()) -> None:
  """`check_range` of several fields of a part of an experiment's config.

  Args:
    part: its name, which precedes that of a field in the message.
    config: the part, a dataclass.
    low: the smallest value that is allowed.
    high: the largest; None: unbounded.
    fields: names; none: all fields of the dataclass.
  """
  for name in fields or [field.name for field in dataclasses.fields(config)]:
    check_range(f'{part}.{name}', getattr(config, name), low, high)
