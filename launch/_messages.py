"""One line on stderr; imports nothing, so that Ctrl-C is handled early."""

import sys
from typing import NoReturn

USAGE_ERROR = 2


def say(message: str) -> None:
  """Prints one line to stderr that begins with the command's name."""
  program = sys.argv[0].rsplit('/', 1)[-1].removesuffix('.py')
  one_line = ' '.join(message.split())
  print(f'{program}: {one_line}', file=sys.stderr, flush=True)


def exit_with_usage_error(message: str) -> NoReturn:
  """Prints one line and exits with code 2."""
  say(message)
  sys.exit(USAGE_ERROR)
