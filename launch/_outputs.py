"""Outputs of a command: several people in one call, and replacement.

Only the output of an earlier call is replaced. It stays until the new output is
complete, and a warning says so before the work begins.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import logging

from flaxheads.errors import UserError

from ._messages import say


def warn_replaced(path: str | Path) -> None:
  """Warns that an earlier output will be replaced.

  Args:
    path: a file or folder that has been checked to be replaceable.
  """
  path = Path(path).expanduser()
  if path.is_file() or (path.is_dir() and any(path.iterdir())):
    logging.warning(
      '%s: exists from an earlier call, and will be replaced when the new one '
      'is complete',
      path,
    )


def named(paths: Sequence[str]) -> list[tuple[str, str]]:
  """(name, path) of files or folders; equal names get a number."""
  taken, result = set(), []
  for path in paths:
    given = Path(os.path.abspath(os.path.expanduser(path)))
    first = name = given.name if given.is_dir() else given.stem
    number = 1
    while name.lower() in taken:  # some file systems ignore case
      number += 1
      name = f'{first}_{number}'
    taken.add(name.lower())
    result.append((name, path))
  return result


def for_each(paths: Sequence[str], make: Callable[[str, str], None]) -> None:
  """Calls make(name, path) for each; a user error in one does not stop others.

  Raises:
    UserError: the only one failed; or some of several did, each of which has
      been reported on stderr in one line.
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
