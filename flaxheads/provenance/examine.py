"""Examines what a file says of its origin, and whether it is intact."""

import dataclasses
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from flaxheads.data import image as images
from flaxheads.data import video as videos
from flaxheads.data.kinds import (
  IMAGE,
  IMAGE_EXTENSIONS,
  VIDEO_EXTENSIONS,
  kind_of,
)
from flaxheads.errors import UserError
from flaxheads.provenance import credentials, detection
from flaxheads.provenance.credentials import Credentials
from flaxheads.provenance.detection import Detection

SYNTHETIC, ALTERED, UNKNOWN = 'synthetic', 'altered', 'unknown'
SYNTHETIC_HEAD = 'synthetic_head'  # `kind` in the facts of launch.render_heads
MAX_FRAMES = 250  # that are averaged to find a watermark
MAX_FILES = 10_000
_EXTENSIONS = IMAGE_EXTENSIONS | VIDEO_EXTENSIONS


@dataclasses.dataclass(frozen=True)
class Finding:
  """What one file says.

  Attributes:
    file: its name.
    verdict: 'synthetic', 'altered' or 'unknown'.
    credentials: Credentials.
    watermark: Detection, or None.
    matches: whether the watermark says what the manifest says; None where one
      of them says nothing.
    problem: why the pixels could not be looked at, or ''.
  """

  file: str
  verdict: str
  credentials: Credentials
  watermark: Detection | None
  matches: bool | None
  problem: str = ''

  def as_json(self) -> dict:
    """As launch.verify --json prints it."""
    mark = self.watermark
    found = {'found': mark is not None}
    if mark:
      found |= {
        'payload': str(mark.payload),
        'agreement': round(mark.agreement, 4),
        'how': mark.how,
        'false_positive_rate': detection.FALSE_POSITIVE_RATE,
        'matches_manifest': self.matches,
      }
    remarks = (self.credentials.remark, self.problem)
    return {
      'file': self.file,
      'verdict': self.verdict,
      'credentials': self.credentials.state,
      'watermark': found,
      'signer': self.credentials.signer,
      'facts': self.credentials.facts,
      'remarks': [remark for remark in remarks if remark],
    }

  def in_words(self) -> str:
    """A paragraph for people."""
    given, mark = self.credentials, self.watermark
    lines = [f'{self.file}: {self.verdict}']
    signed = f' by {given.signer}' if given.signer else ''
    remark = f'; {given.remark}' if given.remark else ''
    lines.append(f'  credentials: {given.state}{signed}{remark}')
    if mark:
      said = {None: '', True: ', as signed', False: ', NOT what is signed'}
      lines.append(
        f'  watermark: {mark.payload} ({mark.how} image){said[self.matches]}; '
        f'{mark.agreement:.0%} of its code bits are right; false positives: '
        f'one of {1 / detection.FALSE_POSITIVE_RATE:,.0f} files'
      )
    else:
      lines.append(f'  watermark: {self.problem or "none found"}')
    return '\n'.join(lines)


def files_of(path: str | os.PathLike, links: bool = False) -> list[Path]:
  """A file itself; of a folder all images and videos below it, by name.

  Args:
    path: the file or folder.
    links: whether those belong to it that lie elsewhere, and are linked to.

  Raises:
    UserError: there is none, or more than MAX_FILES.
  """
  path = Path(path).expanduser()
  if not path.exists():
    raise UserError(f'{path}: no such file or folder; check the name')
  if not path.is_dir():
    return [path]
  below = (
    p
    for p in path.rglob('*')
    if p.suffix.lower() in _EXTENSIONS
    and not p.name.startswith('.')
    and p.is_file()
    and (links or p.resolve().is_relative_to(path.resolve()))
  )
  found = sorted(itertools.islice(below, MAX_FILES + 1))
  if not found:
    raise UserError(f'{path}: has no image or video; give one of them')
  if len(found) > MAX_FILES:
    raise UserError(f'{path}: more than {MAX_FILES} files; give fewer')
  return found


def _frames(path: Path) -> Iterator:
  if kind_of(path) == IMAGE:
    yield images.read_image(path)
    return
  for frame in videos.VideoReader(path, max_frames=MAX_FRAMES):
    yield frame.image


def examine(path: str | os.PathLike, roots: bytes = b'') -> Finding:
  """Looks at the credentials and the pixels of a file.

  Args:
    path: an image or a video.
    roots: PEM of the certificates that are believed.

  Raises:
    UserError: the file cannot be opened.
  """
  path = Path(path)
  given = credentials.read(path, roots)
  mark, problem = None, ''
  try:
    mark = detection.detect(detection.average(_frames(path)))
  except UserError as error:
    problem = str(error)
  said = given.facts.get('payload')
  matches = None
  if mark and said and given.intact:
    matches = str(mark.payload) == said
  verdict = _verdict(given, mark, matches)
  return Finding(str(path), verdict, given, mark, matches, problem)


def _verdict(given: Credentials, mark, matches) -> str:
  if given.state == 'altered' or matches is False:
    return ALTERED
  made = given.source_type in credentials.SYNTHETIC_TYPES
  return SYNTHETIC if mark or (given.intact and made) else UNKNOWN


def shows_synthetic_heads(path: str | os.PathLike, roots: bytes) -> bool:
  """Whether launch.render_heads of a trusted installation drew all of it.

  Args:
    path: an image or video, or a folder of them.
    roots: PEM of the certificates that are believed.
  """
  for file in files_of(path, links=True):  # as they are read
    given = credentials.read(file, roots)
    if given.state != 'trusted' or given.facts.get('kind') != SYNTHETIC_HEAD:
      return False
  return True


def sha256_of(path: str | os.PathLike) -> str:
  """SHA-256 of a file; of a folder, of the digests of its files in order."""
  path = Path(path).expanduser()
  if not path.is_file():
    return sha256_of_all(files_of(path, links=True))
  with open(path, 'rb') as opened:
    return hashlib.file_digest(opened, 'sha256').hexdigest()


def sha256_of_all(files: Iterable[Path]) -> str:
  """SHA-256 of the digests of files, in order."""
  joined = ''.join(sha256_of(file) for file in files)
  return hashlib.sha256(joined.encode()).hexdigest()
