"""Writing files atomically, alone or together, and locking folders."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from flaxheads.errors import UserError

# Called with a written temporary file and its final name. May change the file
# in place: it is signed before it appears under its name.
Seal = Callable[[Path, str], None]


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
  """Yields a temporary path beside `path`, which is renamed on success.

  If the body raises, also by an interrupt, the temporary file is removed and
  an existing file of that name stays untouched.

  Args:
    path: the file to write; its folder must exist.

  Yields:
    The path to write to, with the same extension.

  Raises:
    UserError: the folder does not exist or is not writable.
  """
  path = Path(path)
  if path.is_dir():
    raise UserError(f'{path}: is a folder; give a file name')
  with _may_write(path):
    descriptor, name = tempfile.mkstemp(
      suffix=path.suffix, prefix=f'.{path.stem}-', dir=path.parent
    )
  os.close(descriptor)
  temporary = Path(name)
  try:
    yield temporary
    # mkstemp creates files of mode 0600; set the usual mode.
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
      f'{path}: cannot be written ({error.strerror}); give a name in an'
      ' existing, writable folder'
    ) from error


def check_writable(folder: str | os.PathLike) -> None:
  """Raises UserError unless a folder is writable or can be made.

  Args:
    folder: neither it nor its parents need to exist. Nothing is left behind.
  """
  folder = Path(folder)
  existing = folder
  while not existing.exists() and existing != existing.parent:
    existing = existing.parent
  try:
    with tempfile.TemporaryDirectory(prefix='.trial-', dir=existing):
      pass
  except OSError as error:
    raise UserError(
      f'{folder}: cannot be written ({error.strerror}); name a folder in a'
      ' writable place'
    ) from None


@contextlib.contextmanager
def atomic_paths(*paths: str | os.PathLike) -> Iterator[list[Path]]:
  """Like `atomic_path` for several files: all of them appear, or none.

  Args:
    paths: the files to write, in one existing folder.

  Yields:
    The paths to write to: the same names in a temporary folder.

  Raises:
    UserError: the folder does not exist or is not writable.
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
    replace_all(list(zip(new, paths, strict=True)), temporary)
  finally:
    shutil.rmtree(temporary, ignore_errors=True)


def replace_all(moves: Sequence[tuple[Path, Path]], aside: Path) -> None:
  """Replaces files or folders by others: all of them, or none.

  If a move fails or is interrupted, the previous state is restored.

  Args:
    moves: (new, target) pairs, all on one disk.
    aside: an existing folder on that disk, for the replaced files.
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
  """Locks a folder against other processes of this machine.

  Args:
    folder: an existing folder. A remote one ('gs://...') is not locked.

  Raises:
    UserError: another process holds the lock.
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
      f'{folder}: is in use by another process; wait for it, or name another'
      ' folder'
    ) from error
  finally:
    os.close(descriptor)
