"""Several people in one call: each fails alone."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from flaxheads.errors import UserError
from launch._interrupts import say


def named(paths: Sequence[str]) -> list[tuple[str, str]]:
  """(name, path) of files or folders; those of the same name get a number."""
  taken, result = set(), []
  for path in paths:
    given = Path(os.path.abspath(os.path.expanduser(path)))
    first = name = given.name if given.is_dir() else given.stem
    number = 1
    while name.lower() in taken:  # some file systems know no upper case
      number += 1
      name = f'{first}_{number}'
    taken.add(name.lower())
    result.append((name, path))
  return result


def each(paths: Sequence[str], make: Callable[[str, str], None]) -> None:
  """Calls make(name, path) for each; a mistake in one stops no other.

  Raises:
    UserError: one was given, and failed; or of several some, which have been
      told on stderr, a line each.
  """
  failed = []
  for name, path in named(paths):
    try:
      make(name, path)
    except UserError as error:
      if len(paths) == 1:
        raise
      say(f'{name}: {error}')
      failed.append(name)
  if failed:
    raise UserError(
      f'{len(failed)} of {len(paths)} failed, see above: {", ".join(failed)}; '
      'the others are done'
    )
