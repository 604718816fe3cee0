"""What an earlier call made is replaced, and the user hears of it in time.

Nothing else is ever overwritten. What is there stays until the new is whole.
"""

from pathlib import Path

from absl import logging

from flaxheads.errors import UserError


def check_file(path: Path, report: Path) -> None:
  """Refuses to overwrite a file that is not known to be made by us.

  Args:
    path: that will be written.
    report: that every such call leaves beside it.

  Raises:
    UserError: a file is there, without a report.
  """
  if path.exists() and not report.is_file():
    raise UserError(
      f'{path}: is there, and not by an earlier call ({report.name} is not '
      'beside it); give another name'
    )


def warn(path: str | Path) -> None:
  """Says that an output is there already; before the work begins.

  Args:
    path: a file or folder that has been checked to be replaceable.
  """
  path = Path(path).expanduser()
  if path.is_file() or (path.is_dir() and any(path.iterdir())):
    logging.warning(
      '%s: is there from an earlier call, and is replaced when the new one is '
      'whole',
      path,
    )
