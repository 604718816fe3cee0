"""Errors on a command line, as one line without Python's own messages."""

import errno
import os
import re
import sys

from absl import flags

_WANTED = {
  'int': 'a whole number',
  'float': 'a number',
  'bool': 'true or false',
}
_OF_FLAG = re.compile(r'flag --(?P<name>[^=\s]+)=(?P<value>.*?): ', re.DOTALL)
_OF_FILE = re.compile(r"\[Errno (?P<number>\d+)\] .*: '(?P<path>.*)'")
_OF_CONFIG = {errno.ENOENT: 'no such file', errno.EISDIR: 'is a folder'}


def _is_of_type(text: str, kind: str) -> bool:
  try:
    {'int': int, 'float': float}[kind](text)
  except ValueError:
    return False
  return True


def of_flag(error: flags.Error) -> str:
  """Names the flag, its value, and what it takes.

  absl repeats the ValueError of a conversion: "invalid literal for int()". Its
  messages about ranges and unknown flags are kept.

  Args:
    error: of parsing.
  """
  message = str(error)
  given = _OF_FLAG.match(message)
  if given and given['name'] in flags.FLAGS:
    kind = flags.FLAGS[given['name']].flag_type()
    converts = kind in _WANTED
    if converts and (kind == 'bool' or not _is_of_type(given['value'], kind)):
      return f'--{given["name"]}={given["value"]}: not {_WANTED[kind]}'
  return f'{message.removeprefix("flag ")} (--help lists the flags)'


def of_config(error: OSError) -> str:
  """Which file --config cannot be read from, and why.

  Args:
    error: of reading it; ml_collections passes it on as the last line of a
      text.
  """
  reason = str(error).strip().splitlines()[-1].strip()
  if found := _OF_FILE.search(reason):
    number = int(found['number'])
    why = _OF_CONFIG.get(number, os.strerror(number))
    return f'--config={found["path"]}: {why}; configs/ holds the presets'
  return f'--config: {reason}; configs/ holds the presets'


def of_config_source(
  error: SyntaxError | AttributeError | ImportError,
) -> str:
  """Why the file of --config is no config; '' if it is one."""
  if isinstance(error, SyntaxError):
    where = f'--config={error.filename}, line {error.lineno}'
    return f'{where}: not Python ({error.msg}); configs/ holds the presets'
  if (getattr(error, 'name', '') or '').split('.')[0] == 'configs':
    return (
      '--config: its file imports a preset of configs/, which is not here; run'
      " the command in the repository's folder"
    )
  if "has no attribute 'get_config'" in str(error):
    return '--config: its file has no get_config(); configs/ holds the presets'
  return ''


def of_platforms() -> str:
  """Why JAX finds no device of JAX_PLATFORMS; '' if it finds one.

  JAX raises errors of several types, some without a message.
  """
  wanted = os.environ.get('JAX_PLATFORMS', '')
  if not wanted or 'jax' not in sys.modules:
    return ''
  import jax

  try:
    jax.default_backend()
  except Exception:
    return (
      f'JAX_PLATFORMS={wanted}: JAX finds no such device here; unset it, or'
      ' set JAX_PLATFORMS=cpu'
    )
  return ''
