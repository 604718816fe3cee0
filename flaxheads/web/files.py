"""Uploaded files, and what was found in them."""

import dataclasses
import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from flaxheads.data.driver import Driver
from flaxheads.data.support import Support, load_support
from flaxheads.errors import UserError
from flaxheads.fewshot.photo_person import MAX_SIZE
from flaxheads.landmarks.detect import make_detector
from flaxheads.landmarks.follow import SeveralFacesError
from flaxheads.provenance import rights
from flaxheads.provenance.examine import sha256_of
from flaxheads.speech.driver import load_driver
from flaxheads.web import faces

WAITING, READY, WRONG = 'waiting', 'ready', 'wrong'
_MAX_VIDEO_FRAMES = 64  # read of a video of the person: 3 MB each
_SHOTS_PER_FILE = 8
_DRIVER_SIZE = 256  # pixels of the crop that its landmarks are kept in


@dataclasses.dataclass(eq=False)
class File:
  """A file of a visitor.

  Attributes:
    id: unique for the visitor.
    path: where it lies; pictures are removed once they are read.
    state: WAITING, READY or WRONG.
    sentence: what is wrong with it.
    is_example: a head that does not exist; no rights are needed.
    needs_rights: whether it may show a real person.
    sha256: of the file.
    face: which face, from the left, where there are several.
    num_faces: how many there are to choose from; 0 where there is no choice.
    support: the frames of a picture or video of the person.
    driver: the landmarks of a driver, in pixels of a crop of _DRIVER_SIZE.
    thumbnail: JPEG of the face that was found.
  """

  id: str
  path: Path
  is_example: bool = False
  state: str = WAITING
  sentence: str = ''
  needs_rights: bool = True
  sha256: str = ''
  face: int | None = None
  num_faces: int = 0
  support: Support | None = None
  driver: Driver | None = None
  thumbnail: bytes = b''

  def describe(self) -> dict:
    """What the page shows of it, JSON values."""
    names = ('id', 'state', 'sentence', 'face', 'num_faces')
    return {
      'name': self.path.name,
      **{name: getattr(self, name) for name in names},
    }


def safe_name(name: str) -> str:
  """An uploaded file's name without folders and unusual characters."""
  name = re.sub(r'[^\w. ()+-]', '_', re.split(r'[/\\]', name)[-1])
  return name.strip(' .')[-80:] or 'file'


def _detector(tell: Callable[..., None], name: str) -> faces.ReportingDetector:
  def report(count):
    label = f'Looking for the face in {name}'
    tell(label if count == 1 else f'{label}: {count} frames')

  return faces.ReportingDetector(make_detector(), report)


def read_picture(file: File, tell: Callable[..., None]) -> None:
  """Finds the face in a picture, or a video, of the person.

  Args:
    file: its attributes are set.
    tell: see Job.tell.

  Raises:
    UserError: it cannot be read, or shows no face, or several.
  """
  name = file.path.name
  try:
    support = load_support(
      file.path,
      MAX_SIZE,
      face=file.face,
      detector=_detector(tell, name),
      max_frames=_MAX_VIDEO_FRAMES,
    )
  except SeveralFacesError as error:
    file.num_faces = error.count
    raise UserError(
      f'{name}: shows {error.count} faces; choose one, counted from the left'
    ) from None
  except UserError as error:
    raise faces.with_name(error, file.path) from None
  file.support = faces.thin(support, _SHOTS_PER_FILE)
  file.thumbnail = faces.thumbnail(support)
  file.sha256 = sha256_of(file.path)
  file.needs_rights = not file.is_example and rights.are_needed(file.path)


def read_driver(file: File, max_frames: int, tell: Callable[..., None]) -> None:
  """Follows the face of a driver, or listens to it; see `read_picture`."""
  try:
    file.driver = load_driver(
      file.path,
      _DRIVER_SIZE,
      max_frames=max_frames,
      frames=False,
      detector=_detector(tell, file.path.name),
    )
  except UserError as error:
    raise faces.with_name(error, file.path) from None


def driver_for(file: File, image_size: int) -> Driver:
  """A driver with landmarks in pixels of a person's frames."""
  scale = np.float32(image_size / _DRIVER_SIZE)
  return file.driver._replace(points=file.driver.points * scale)


def digest(pictures: Sequence[File]) -> str:
  """As `sha256_of` gives it of the file alone, or of a folder of the files."""
  if len(pictures) == 1:
    return pictures[0].sha256
  joined = ''.join(file.sha256 for file in pictures)
  return hashlib.sha256(joined.encode()).hexdigest()
