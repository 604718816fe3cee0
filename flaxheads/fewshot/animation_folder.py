"""A folder of animations: side by side, a contact sheet, PNG frames."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from flaxheads.data.driver import Driver
from flaxheads.data.image import contact_sheet, write_png
from flaxheads.data.output_files import check_writable, replace_all
from flaxheads.data.pixels import to_uint8
from flaxheads.data.video_writer import VideoWriter
from flaxheads.errors import UserError
from flaxheads.fewshot.person import Person
from flaxheads.fewshot.rendering import (
  resize,
  sound_and_seal,
  write_marked_png,
)
from flaxheads.landmarks.rasterise import rasterise_landmarks
from flaxheads.provenance.marks import Marks
from flaxheads.provenance.stamp import Stamp

SIDE_BY_SIDE = 'side_by_side.mp4'
CONTACT_SHEET = 'contact_sheet.png'
_SHEET_FRAMES, _SHEET_SIZE = 8, 128
_PAPER = 240  # grey; white would clip half of the watermark
_RASTERISED_AT_ONCE = 64
_STAMPED_AT_ONCE = 16


def driver_frames(driver: Driver, image_size: int) -> np.ndarray:
  """The driver's own frames, or its landmarks where it has none."""
  if driver.frames is not None:
    return driver.frames
  shown = np.empty((len(driver.points), image_size, image_size, 3), np.uint8)
  for start in range(0, len(shown), _RASTERISED_AT_ONCE):
    part = driver.points[start : start + _RASTERISED_AT_ONCE]
    count, batch = len(part), _RASTERISED_AT_ONCE  # not all at once: float32
    part = np.concatenate([part, part[-1:].repeat(batch - count, 0)])
    shown[start : start + count] = np.asarray(
      to_uint8(rasterise_landmarks(part, image_size))
    )[:count]
  return shown


def _write_sheet(path, person, drivers, rendered, marks: Marks) -> None:
  """An image of the portrait, and of eight moments of every driver."""
  size = _SHEET_SIZE
  rows, labels = [[resize(person.frame, size)]], ['portrait']
  for driver, frames in zip(drivers, rendered, strict=True):
    own = driver_frames(driver, person.image_size)
    count = min(_SHEET_FRAMES, len(frames))
    moments = np.linspace(0, len(frames) - 1, count).round().astype(int)
    rows.append([resize(own[i], size) for i in moments])
    rows.append([resize(frames[i], size) for i in moments])
    labels += [driver.name, 'portrait, moved']
  sheet = contact_sheet(rows, labels, paper=_PAPER)
  write_marked_png(path, sheet, marks.composite())


def write_side_by_side(
  path: str | os.PathLike,
  person: Person,
  drivers: Sequence[Driver],
  rendered: Sequence[np.ndarray],
  size: int,
  marks: Marks,
) -> None:
  """A video: the portrait, then each driver above the person that it moves.

  It has the first driver's rate and sound, and the longest driver's length;
  shorter ones stop at their last frame.
  """
  fps, marks = drivers[0].fps, marks.composite()
  seconds = max(len(d.points) / d.fps for d in drivers)
  own = [driver_frames(d, person.image_size) for d in drivers]
  portrait = resize(person.frame, size)
  blank, stamp = np.full_like(portrait, _PAPER), Stamp(marks)
  count = max(1, round(seconds * fps))
  seal = sound_and_seal(drivers[0], count / fps, marks)
  with VideoWriter(path, fps, seal=seal) as writer:
    for i in range(count):
      columns = [np.concatenate([blank, portrait])]
      for driver, theirs, frames in zip(drivers, own, rendered, strict=True):
        k = min(int(i / fps * driver.fps), len(frames) - 1)
        column = [resize(theirs[k], size), resize(frames[k], size)]
        columns.append(np.concatenate(column))
      (marked,) = np.asarray(stamp(np.concatenate(columns, axis=1)[None]))
      writer.write(marked)


def write_extras(
  folder: Path,
  person: Person,
  drivers: Sequence[Driver],
  rendered: Sequence[np.ndarray],
  size: int,
  png_frames: bool,
  marks: Marks,
) -> None:
  """Writes what lies beside the videos of a folder.

  Args:
    folder: exists.
    person: Person.
    drivers: what moved the person.
    rendered: from `rendering.write_video`, for each driver.
    size: side of a frame in the videos, pixels.
    png_frames: whether to write every frame as well, at the person's size.
    marks: what the files say of their origin.
  """
  write_side_by_side(
    folder / SIDE_BY_SIDE, person, drivers, rendered, size, marks
  )
  _write_sheet(folder / CONTACT_SHEET, person, drivers, rendered, marks)
  if not png_frames:
    return
  for driver, frames in zip(drivers, rendered, strict=True):
    frame_folder = folder / driver.name
    frame_folder.mkdir()
    stamp = Stamp(marks)
    for start in range(0, len(frames), _STAMPED_AT_ONCE):
      marked = np.asarray(stamp(frames[start : start + _STAMPED_AT_ONCE]))
      for i, frame in enumerate(marked, start):
        write_png(frame_folder / f'{i:06d}.png', frame, marks.seal)


def unique_names(drivers: Sequence[Driver]) -> list[Driver]:
  """Numbers the drivers that have the same name."""
  taken, named = {Path(SIDE_BY_SIDE).stem}, []
  for driver in drivers:
    name, number = driver.name, 1
    while name.lower() in taken:  # some file systems ignore case
      number += 1
      name = f'{driver.name}_{number}'
    taken.add(name.lower())
    named.append(driver._replace(name=name))
  return named


def check_folder(folder: str | os.PathLike) -> None:
  """Raises UserError unless `folder` is new, empty or an earlier animation.

  Also where it cannot be written.
  """
  folder = Path(folder)
  if folder.exists() and not folder.is_dir():
    raise UserError(f'{folder}: is a file; give a folder, or an .mp4')
  check_writable(folder.resolve().parent)
  if folder.is_dir() and any(folder.iterdir()):
    if not (folder / CONTACT_SHEET).is_file():
      raise UserError(
        f'{folder}: a folder with other files in it; give the name of a new '
        'one, or of an earlier animation to replace its files'
      )


@contextlib.contextmanager
def folder_of_files(folder: str | os.PathLike) -> Iterator[Path]:
  """Gives a folder to write to, whose files move into `folder` at success.

  If the body raises, also by an interrupt, nothing of it stays.

  Args:
    folder: new, empty, or an earlier animation, whose files of the same names
      are replaced.

  Yields:
    The folder to write to.

  Raises:
    UserError: other files are in it, or it cannot be written.
  """
  check_folder(folder)
  folder = Path(folder).resolve()
  try:
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix='.animation-', dir=folder.parent))
    new = temporary / 'new'
    new.mkdir()
  except OSError as error:
    raise UserError(f'{folder}: cannot be made ({error.strerror})') from None
  try:
    yield new
    moves = [(new, folder)]
    if folder.exists():
      moves = [(path, folder / path.name) for path in sorted(new.iterdir())]
    replace_all(moves, temporary)
  finally:
    shutil.rmtree(temporary, ignore_errors=True)
