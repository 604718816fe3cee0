"""Files that are either complete or absent, and folders with one owner."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from flaxheads.errors import UserError

# Changes a written file in place, given the name that it will have: so that a
# file is signed before anybody can see it.
Seal = Callable[[Path, str], None]


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
  """Gives a temporary name beside `path`, renamed to it at success.

  If the body raises, also by an interrupt, the temporary file is removed and
  an earlier file of that name stays untouched.

  Args:
    path: the name of the file to make; its folder must exist.

  Yields:
    The name to write to, with the same extension.

  Raises:
    UserError: the folder does not exist or can't be written to.
  """
  path = Path(path)
  if path.is_dir():
    raise UserError(f'{path}: is a folder; give the name of a file')
  with _may_write(path):
    descriptor, name = tempfile.mkstemp(
      suffix=path.suffix, prefix=f'.{path.stem}-', dir=path.parent
    )
  os.close(descriptor)
  temporary = Path(name)
  try:
    yield temporary
    # mkstemp makes files only their owner can read; give them the usual mode.
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _may_write(path: Path) -> Iterator[None]:
  try:
    yield
  except OSError as error:
    raise UserError(
      f'{path}: can not write there ({error.strerror}); give a name in an'
      ' existing folder that you may write to'
    ) from error


def check_may_hold(folder: str | os.PathLike) -> None:
  """Raises UserError unless a folder can be written to, or be made.

  Nothing of the trial stays.

  Args:
    folder: need not exist, nor those above it.
  """
  folder = Path(folder)
  above = folder
  while not above.exists() and above != above.parent:
    above = above.parent
  try:
    with tempfile.TemporaryDirectory(prefix='.trial-', dir=above):
      pass
  except OSError as error:
    raise UserError(
      f'{folder}: can not be written to ({error.strerror}); name a folder in'
      ' a place that you may write to'
    ) from None


@contextlib.contextmanager
def together(*paths: str | os.PathLike) -> Iterator[list[Path]]:
  """Gives temporary names for files that appear together, or none of them.

  Args:
    paths: the files to make, in one existing folder.

  Yields:
    The names to write to: the same ones, in a folder that is removed.

  Raises:
    UserError: the folder does not exist or can't be written to.
  """
  paths = [Path(path) for path in paths]
  with _may_write(paths[0]):
    temporary = Path(
      tempfile.mkdtemp(prefix=f'.{paths[0].stem}-', dir=paths[0].parent)
    )
  try:
    with _may_write(paths[0]):
      (temporary / 'new').mkdir()
    new = [temporary / 'new' / path.name for path in paths]
    yield new
    put_in_place(list(zip(new, paths, strict=True)), temporary)
  finally:
    shutil.rmtree(temporary, ignore_errors=True)


def put_in_place(moves: Sequence[tuple[Path, Path]], aside: Path) -> None:
  """Moves files or folders over others: all of them, or none.

  If something comes in between, also an interrupt, what was there is back.

  Args:
    moves: what is moved, and to what name, all on one disk.
    aside: an existing folder on that disk, for what is replaced.
  """
  done = []
  try:
    for number, (new, target) in enumerate(moves):
      old = aside / f'replaced-{number}'
      done.append((new, target, old))
      if target.exists():
        target.rename(old)
      new.rename(target)
  except BaseException:
    for new, target, old in reversed(done):
      if not new.exists():
        target.rename(new)
      if old.exists():
        old.rename(target)
    raise


@contextlib.contextmanager
def locked(folder: str | os.PathLike) -> Iterator[None]:
  """Keeps other processes of this machine out of a folder.

  Args:
    folder: that exists; of a remote one ('gs://...') nothing is locked.

  Raises:
    UserError: another process works in it.
  """
  if '://' in os.fspath(folder):
    yield
    return
  descriptor = os.open(folder, os.O_RDONLY)
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield
  except BlockingIOError as error:
    raise UserError(
      f'{folder}: another process is at work there; wait for it, or name'
      ' another folder'
    ) from error
  finally:
    os.close(descriptor)
