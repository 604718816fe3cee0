"""Keeps compiled programs, so that a second run starts in a tenth of the time.

They are in $XDG_CACHE_HOME/flaxheads/jax, or ~/.cache/flaxheads/jax, in a
folder for each kind of processor: home folders are shared, and a program for
another one may end in an illegal instruction. JAX_COMPILATION_CACHE_DIR names
another place, JAX_ENABLE_COMPILATION_CACHE=false turns it off. Beyond MAX_BYTES
the least recently used programs are removed; JAX itself would need the package
filelock for that.
"""

import contextlib
import hashlib
import os
import platform
from pathlib import Path

_FOLDER = 'JAX_COMPILATION_CACHE_DIR'
# Those that compile more quickly are not kept; JAX's own is 1.
_LEAST_SECONDS = 'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.3'
MAX_BYTES = 1 << 30


def _processor() -> str:
  """Stands for the instructions that programs may use here."""
  facts = [platform.system(), platform.machine(), platform.processor()]
  try:
    lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    wanted = ('model name', 'flags', 'Features')
    facts += sorted({line for line in lines if line.startswith(wanted)})
  except OSError:  # not Linux
    pass
  return hashlib.sha256('\n'.join(facts).encode()).hexdigest()[:16]


def prune(folder: Path, most: int) -> None:
  """Removes the least recently used files until `most` bytes remain.

  Args:
    folder: of programs; its subfolders are left alone.
    most: bytes.
  """
  found = []
  for path in folder.iterdir():
    with contextlib.suppress(OSError):  # another command may have removed it
      status = path.stat()
      if path.is_file():
        used = max(status.st_atime, status.st_mtime)
        found.append((used, status.st_size, path))
  total = sum(size for _, size, _ in found)
  for _, size, path in sorted(found):
    if total <= most:
      return
    with contextlib.suppress(OSError):
      path.unlink()
    total -= size


def configure() -> None:
  """Tells JAX where to keep programs; JAX must not be imported yet."""
  os.environ.setdefault(*_LEAST_SECONDS)
  if _FOLDER in os.environ:
    return
  cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
  folder = Path(os.path.expanduser(cache)) / 'flaxheads' / 'jax' / _processor()
  try:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    prune(folder, MAX_BYTES)
  except OSError:  # a full disk, say
    return
  os.environ[_FOLDER] = str(folder)
