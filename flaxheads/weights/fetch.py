"""Fetches weight files from their publishers or from a mirror."""

import functools
import os
import shutil
import tarfile
import urllib.parse
import zipfile
from collections.abc import Callable
from pathlib import Path

from flaxheads.errors import (
  ARCHIVE_ERRORS,
  RunFailedError,
  UserError,
  behind,
)
from flaxheads.weights.convert import hash_file
from flaxheads.weights.foreign import MAX_FILE_BYTES
from flaxheads.weights.source import Part, Source

_BLOCK = 1 << 20
_TIMEOUT = 60  # seconds without data


def _is_url(text: str) -> bool:
  return urllib.parse.urlsplit(text).scheme in ('http', 'https')


def _file_name(url: str) -> str:
  return os.path.basename(urllib.parse.urlsplit(url).path)


class _LimitedBar:
  """A progress bar for pooch that raises beyond MAX_FILE_BYTES."""

  def __init__(self, bar, url: str):
    self._bar, self._url = bar, url
    self.reset, self.close = bar.reset, bar.close
    self.total = None

  def update(self, num_bytes):
    self._bar.total = self.total or None  # 0: the server does not say
    self._bar.update(num_bytes)
    if self._bar.n > MAX_FILE_BYTES:
      raise RunFailedError(
        f'{self._url}: sends more than {MAX_FILE_BYTES >> 30} GiB; nothing was'
        ' kept'
      )


def download(
  url: str, path: Path, progress: Callable, otherwise: str = '--mirror=FOLDER'
) -> None:
  """Downloads a file; its hash is for the caller to check.

  Args:
    url: of the file.
    path: where it goes.
    progress: makes a progress bar, as tqdm does.
    otherwise: flags that take the file from elsewhere, for the error.

  Raises:
    RunFailedError: the network or the server failed.
  """
  import pooch  # late, like requests: only downloads need them
  import requests

  pooch.get_logger().setLevel('WARNING')
  try:
    with progress(desc=path.name, unit='B', unit_scale=True) as bar:
      downloader = pooch.HTTPDownloader(
        progressbar=_LimitedBar(bar, url),
        chunk_size=_BLOCK,
        timeout=_TIMEOUT,
        headers={'User-Agent': 'flaxheads'},
      )
      # Hashes are checked by the callers, for files of mirrors too.
      pooch.retrieve(url, None, path.name, path.parent, downloader=downloader)
  except requests.RequestException as error:
    response = error.response
    *_, cause = behind(error)
    reason = str(cause) or type(cause).__name__
    if isinstance(error, requests.HTTPError):
      reason = f'HTTP {response.status_code}: {response.reason}'
    raise RunFailedError(
      f'{url}: {reason}; the file can come from elsewhere with {otherwise}'
    ) from None


def _open_member(archive: Path, member: str):
  """The one file of this name in an archive: (its size, a stream of it)."""
  # Archives differ in whether there is a folder around the files.
  if archive.suffix in ('.zip', '.whl'):
    opened = zipfile.ZipFile(archive)
    found = [
      (info.file_size, functools.partial(opened.open, info))
      for info in opened.infolist()
      if info.filename.rsplit('/', 1)[-1] == member
    ]
  else:
    opened = tarfile.open(archive, 'r:gz')
    found = [
      (info.size, functools.partial(opened.extractfile, info))
      for info in opened
      if info.isfile() and info.name.rsplit('/', 1)[-1] == member
    ]
  if len(found) != 1:
    raise UserError(f'{archive}: holds {len(found)} files {member}, not 1')
  return found[0]


def _unpack(archive: Path, member: str, folder: Path) -> Path:
  """Takes one file out of a zip archive or a compressed tar archive."""
  path = folder / member
  try:
    size, open_stream = _open_member(archive, member)
    if size > MAX_FILE_BYTES:
      raise UserError(
        f'{archive}: {member} is larger than {MAX_FILE_BYTES >> 30} GiB'
      )
    # Both kinds of stream stop at the size that the archive states.
    with open_stream() as source, path.open('wb') as file:
      shutil.copyfileobj(source, file, _BLOCK)
  except UserError:
    raise
  except OSError as error:
    if error.errno is not None:  # of this machine, such as a full disk
      raise
    raise UserError(f'{archive}: not a whole archive ({error})') from None
  except (*ARCHIVE_ERRORS, tarfile.TarError) as e:
    raise UserError(f'{archive}: not a whole archive ({e})') from None
  return path


def _check_archive(path: Path, part: Part) -> None:
  """Raises UserError unless the archive is the published one."""
  found = hash_file(str(path))
  if found != part.archive_sha256:
    raise UserError(
      f'{path}: SHA-256 {found}, but its publisher gives {part.archive_sha256};'
      ' the file is damaged or another one'
    )


def _locate(part: Part, folder: Path, mirror: str, progress: Callable) -> Path:
  """The file that a part's URL stands for, downloaded or in the mirror."""
  name = _file_name(part.url)
  if mirror and not _is_url(mirror):
    path = Path(mirror).expanduser() / name
    if not path.is_file():
      raise UserError(f'--mirror={mirror}: holds no file {name}')
    return path
  url = f'{mirror.rstrip("/")}/{name}' if mirror else part.url
  path = folder / name
  if not path.is_file():  # an archive can hold the files of several sources
    otherwise = '--mirror=FOLDER_OR_URL, or be converted with --convert=FILE'
    download(url, path, progress, otherwise)
  return path


def fetch(
  source: Source, folder: Path, mirror: str, progress: Callable
) -> list[Path]:
  """Fetches the files of a source; an archive is opened if its hash is known.

  The hashes of the weight files are checked at their conversion.

  Args:
    source: of sources.SOURCES.
    folder: for what is downloaded or unpacked; what an earlier call has
      downloaded there is used again.
    mirror: a folder or URL that holds files of the same names; '': the
      publisher.
    progress: makes a progress bar, as tqdm does.

  Returns:
    The files, in the order of the source's parts.

  Raises:
    UserError: the mirror lacks a file, or an archive is damaged.
    RunFailedError: the network or the server failed.
  """
  files = []
  for part in source.parts:
    path = _locate(part, folder, mirror, progress)
    if part.archive_sha256:
      _check_archive(path, part)
    if part.member:
      path = _unpack(path, part.member, folder)
    files.append(path)
  return files
