"""From a person and drivers to files: videos, side by side, contact sheet."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from flaxheads.data.files import atomic_path
from flaxheads.data.image import contact_sheet, write_png
from flaxheads.data.sources import Driver
from flaxheads.data.video import VideoWriter
from flaxheads.errors import UserError
from flaxheads.fewshot.person import Person, animate_batches
from flaxheads.landmarks.draw import draw_landmarks
from flaxheads.training.step import to_uint8

_SHEET_FRAMES = 8


def resize(frame: np.ndarray, size: int) -> np.ndarray:
  """uint8 [S, S, 3] to [size, size, 3] for viewing."""
  if frame.shape[0] == size:
    return frame
  enlarged = cv2.resize(frame, (size, size), interpolation=cv2.INTER_CUBIC)
  return np.asarray(enlarged)


def render(
  person: Person,
  driver: Driver,
  path: str | os.PathLike,
  size: int,
  progress: Callable[[Iterable], Iterable] = iter,
) -> np.ndarray:
  """Writes the animation of one driver as an mp4.

  Args:
    person: Person.
    driver: its points are in pixels of the person's image size.
    path: of the mp4; it appears whole or not at all.
    size: side of the video in pixels; the model's picture is enlarged.
    progress: wraps the frames, as tqdm does.

  Returns:
    uint8 [F, S, S, 3], the frames at the model's own size.
  """
  frames = []
  with VideoWriter(path, driver.fps) as writer:
    batches = animate_batches(person, driver.points)
    for frame in progress(frame for batch in batches for frame in batch):
      writer.write(resize(frame, size))
      frames.append(frame)
  return np.stack(frames)


def driver_frames(driver: Driver, image_size: int) -> np.ndarray:
  """The driver's own pictures, or its landmarks where it has none."""
  if driver.frames is not None:
    return driver.frames
  return np.asarray(to_uint8(draw_landmarks(driver.points, image_size)))


def write_sheet(
  path: str | os.PathLike,
  person: Person,
  drivers: Sequence[Driver],
  rendered: Sequence[np.ndarray],
  size: int,
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
  write_png(path, contact_sheet(rows, labels))


def write_side_by_side(
  path: str | os.PathLike,
  person: Person,
  drivers: Sequence[Driver],
  rendered: Sequence[np.ndarray],
  size: int,
) -> None:
  """A video: the portrait, then each driver above what it moves.

  It runs at the first driver's rate and as long as the longest; shorter ones
  stop at their last frame.
  """
  fps = drivers[0].fps
  seconds = max(len(d.points) / d.fps for d in drivers)
  own = [driver_frames(d, person.config.image_size) for d in drivers]
  portrait = resize(person.frame, size)
  blank = np.full_like(portrait, 255)
  with VideoWriter(path, fps) as writer:
    for i in range(max(1, round(seconds * fps))):
      columns = [np.concatenate([blank, portrait])]
      for driver, theirs, frames in zip(drivers, own, rendered, strict=True):
        k = min(int(i / fps * driver.fps), len(frames) - 1)
        column = [resize(theirs[k], size), resize(frames[k], size)]
        columns.append(np.concatenate(column))
      writer.write(np.concatenate(columns, axis=1))


def write_report(path: str | os.PathLike, report: dict) -> None:
  """Writes a report as JSON."""
  with atomic_path(path) as temporary:
    temporary.write_text(json.dumps(report, indent=2), encoding='utf-8')


def unique_names(drivers: Sequence[Driver]) -> list[Driver]:
  """Drivers of the same file name get a number."""
  seen: dict[str, int] = {}
  named = []
  for driver in drivers:
    seen[driver.name] = seen.get(driver.name, 0) + 1
    again = seen[driver.name]
    name = f'{driver.name}_{again}' if again > 1 else driver.name
    named.append(driver._replace(name=name))
  return named


def make_folder(folder: str | os.PathLike) -> Path:
  """Makes a folder for several files.

  Raises:
    UserError: the name belongs to a file, or cannot be written.
  """
  folder = Path(folder)
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(f'{folder}: cannot be made ({error.strerror})') from None
  return folder


def write_folder(
  folder: Path,
  person: Person,
  drivers: Sequence[Driver],
  rendered: Sequence[np.ndarray],
  size: int,
  png_frames: bool,
) -> None:
  """Beside the videos: all side by side, a contact sheet, PNG frames.

  Args:
    folder: exists.
    person: Person.
    drivers: what moved the person.
    rendered: from `render`, for each driver.
    size: side of a picture in the video, pixels.
    png_frames: whether to write every frame as well, at the model's size.
  """
  write_side_by_side(
    folder / 'side_by_side.mp4', person, drivers, rendered, size
  )
  write_sheet(folder / 'contact_sheet.png', person, drivers, rendered, 128)
  if not png_frames:
    return
  for driver, frames in zip(drivers, rendered, strict=True):
    frame_folder = make_folder(folder / driver.name)
    for i, frame in enumerate(frames):
      write_png(frame_folder / f'{i:06d}.png', frame)
