"""From a person and drivers to files: videos, side by side, contact sheet."""

import contextlib
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.data.driver import Driver
from flaxheads.data.image import contact_sheet, write_png
from flaxheads.data.output_files import (
  atomic_path,
  check_writable,
  replace_all,
)
from flaxheads.data.pixels import to_uint8
from flaxheads.data.sound import add_sound
from flaxheads.data.video import VideoWriter
from flaxheads.data.video_frames import ahead
from flaxheads.errors import UserError
from flaxheads.fewshot.paste import Paste
from flaxheads.fewshot.person import Person, device_batches
from flaxheads.landmarks.rasterise import rasterise_landmarks
from flaxheads.provenance.marks import Marks, Stamp

SIDE_BY_SIDE = 'side_by_side.mp4'
CONTACT_SHEET = 'contact_sheet.png'
_SHEET_FRAMES = 8
_PAPER = 240  # on white half of the watermark would be cut off
_DRAWN_AT_ONCE = 64
_STAMPED_AT_ONCE = 16
_PASTED_AT_ONCE = 4
_AHEAD = 8  # frames that are finished while those before are encoded


def resize(frame: np.ndarray, size: int) -> np.ndarray:
  """uint8 [S, S, 3] to [size, size, 3] for viewing."""
  if frame.shape[0] == size:
    return frame
  enlarged = cv2.resize(frame, (size, size), interpolation=cv2.INTER_CUBIC)
  return np.asarray(enlarged)


@functools.partial(jax.jit, static_argnames='size')
def _enlarge(frames, size):
  """uint8 [B, S, S, 3] to [B, size, size, 3], on the device."""
  if frames.shape[1] == size:
    return frames
  shape = (len(frames), size, size, 3)
  sized = jax.image.resize(frames.astype(jnp.float32), shape, 'cubic')
  return jnp.clip(jnp.round(sized), 0, 255).astype(jnp.uint8)


def _sealed(driver: Driver, seconds: float, marks: Marks):
  """What is done to a finished video: the driver's sound, then a signature."""

  def seal(path: Path, title: str) -> None:
    if driver.sound:
      add_sound(path, driver.sound, driver.start, seconds)
    marks.seal(path, title)

  return seal


def _pasted(frames, paste):
  """Whole pictures, a few at a time: they are large."""
  for start in range(0, len(frames), _PASTED_AT_ONCE):
    part = [paste(frame) for frame in frames[start : start + _PASTED_AT_ONCE]]
    count = len(part)  # one size of batch compiles once
    yield np.stack(part + part[-1:] * (_PASTED_AT_ONCE - count)), count


def render(
  person: Person,
  driver: Driver,
  path: str | os.PathLike,
  size: int,
  marks: Marks,
  progress: Callable[[Iterable], Iterable] = iter,
  paste: Paste | None = None,
  keep: bool = True,
) -> np.ndarray | None:
  """Writes the animation of one driver as an mp4.

  Frames are drawn and marked while those before them are encoded.

  Args:
    person: Person.
    driver: its points are in pixels of the person's image size.
    path: of the mp4; it appears whole, marked and signed, or not at all.
    size: side of the video in pixels; the model's picture is enlarged.
    marks: what the file shall say of its origin.
    progress: wraps the frames, as tqdm does.
    paste: puts every frame into the person's portrait, of whose size the
      video then is; what it says of its origin is that it is a composite.
    keep: whether the frames are wanted; without, the memory does not grow with
      the driver's length.

  Returns:
    uint8 [F, S, S, 3], the frames at the model's own size, not yet marked;
    None where they are not kept.
  """
  drawn, stamp = [], Stamp(marks)
  if paste is not None:
    marks = marks.composite()

  def finished():
    for frames, count in device_batches(person, driver.points):
      plain = np.asarray(frames)[:count]
      if keep:
        drawn.append(plain)
      if paste is None:
        yield from np.asarray(stamp(_enlarge(frames, size)))[:count]
        continue
      for whole, number in _pasted(plain, paste):
        yield from np.asarray(stamp(whole))[:number]

  seal = _sealed(driver, len(driver.points) / driver.fps, marks)
  with (
    VideoWriter(path, driver.fps, seal=seal) as writer,
    contextlib.closing(ahead(finished(), _AHEAD)) as frames,
  ):
    for frame in progress(frames):
      writer.write(frame)
  return np.concatenate(drawn) if keep else None


def driver_frames(driver: Driver, image_size: int) -> np.ndarray:
  """The driver's own pictures, or its landmarks where it has none."""
  if driver.frames is not None:
    return driver.frames
  shown = np.empty((len(driver.points), image_size, image_size, 3), np.uint8)
  for start in range(0, len(shown), _DRAWN_AT_ONCE):
    part = driver.points[start : start + _DRAWN_AT_ONCE]
    count = len(part)  # a drawing is 4 bytes a value: not all at once
    part = np.concatenate([part, part[-1:].repeat(_DRAWN_AT_ONCE - count, 0)])
    drawn = np.asarray(to_uint8(rasterise_landmarks(part, image_size)))
    shown[start : start + count] = drawn[:count]
  return shown


def write_marked_png(
  path: str | os.PathLike, picture: np.ndarray, marks: Marks
) -> None:
  """Writes uint8 [H, W, 3] as PNG, with a mark over all of it, and signed."""
  (marked,) = np.asarray(Stamp(marks)(picture[None]))
  write_png(path, marked, marks.seal)


def write_sheet(
  path: str | os.PathLike,
  person: Person,
  drivers: Sequence[Driver],
  rendered: Sequence[np.ndarray],
  size: int,
  marks: Marks,
) -> None:
  """A picture of the portrait, and of eight moments of every driver."""
  rows, labels = [[resize(person.frame, size)]], ['portrait']
  for driver, frames in zip(drivers, rendered, strict=True):
    own = driver_frames(driver, person.config.image_size)
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
  """A video: the portrait, then each driver above what it moves.

  It runs at the first driver's rate, with its sound, and as long as the
  longest; shorter ones stop at their last frame.
  """
  fps, marks = drivers[0].fps, marks.composite()
  seconds = max(len(d.points) / d.fps for d in drivers)
  own = [driver_frames(d, person.config.image_size) for d in drivers]
  portrait = resize(person.frame, size)
  blank, stamp = np.full_like(portrait, _PAPER), Stamp(marks)
  count = max(1, round(seconds * fps))
  seal = _sealed(drivers[0], count / fps, marks)
  with VideoWriter(path, fps, seal=seal) as writer:
    for i in range(count):
      columns = [np.concatenate([blank, portrait])]
      for driver, theirs, frames in zip(drivers, own, rendered, strict=True):
        k = min(int(i / fps * driver.fps), len(frames) - 1)
        column = [resize(theirs[k], size), resize(frames[k], size)]
        columns.append(np.concatenate(column))
      (marked,) = np.asarray(stamp(np.concatenate(columns, axis=1)[None]))
      writer.write(marked)


def write_report(path: str | os.PathLike, report: dict) -> None:
  """Writes a report as JSON."""
  with atomic_path(path) as temporary:
    temporary.write_text(json.dumps(report, indent=2), encoding='utf-8')


def unique_names(drivers: Sequence[Driver]) -> list[Driver]:
  """Drivers of the same file name get a number."""
  taken, named = {Path(SIDE_BY_SIDE).stem}, []
  for driver in drivers:
    name, number = driver.name, 1
    while name.lower() in taken:  # some file systems know no upper case
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


def write_folder(
  folder: Path,
  person: Person,
  drivers: Sequence[Driver],
  rendered: Sequence[np.ndarray],
  size: int,
  png_frames: bool,
  marks: Marks,
) -> None:
  """Beside the videos: all side by side, a contact sheet, PNG frames.

  Args:
    folder: exists.
    person: Person.
    drivers: what moved the person.
    rendered: from `render`, for each driver.
    size: side of a picture in the video, pixels.
    png_frames: whether to write every frame as well, at the model's size.
    marks: what the files shall say of their origin.
  """
  write_side_by_side(
    folder / SIDE_BY_SIDE, person, drivers, rendered, size, marks
  )
  write_sheet(folder / CONTACT_SHEET, person, drivers, rendered, 128, marks)
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
