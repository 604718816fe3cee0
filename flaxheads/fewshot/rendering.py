"""Renders one video of a person and a driver: marked, with sound, signed."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from flaxheads.data.driver import Driver
from flaxheads.data.image import write_png
from flaxheads.data.output_files import check_writable
from flaxheads.data.sound import add_sound
from flaxheads.data.video_frames import ahead
from flaxheads.data.video_writer import VideoWriter
from flaxheads.errors import UserError
from flaxheads.fewshot.paste import Paste
from flaxheads.fewshot.person import Person
from flaxheads.provenance.marks import Marks
from flaxheads.provenance.stamp import Stamp

_PASTED_AT_ONCE = 4
_AHEAD = 8  # frames that are finished while those before are encoded


def check_video(path: Path) -> None:
  """Raises UserError unless `path` is an .mp4 that may be written."""
  if path.suffix.lower() != '.mp4':
    raise UserError(f'{path}: video is written as MP4; end the name in .mp4')
  if not path.parent.is_dir():
    raise UserError(f'{path}: its folder does not exist; create it')
  if path.is_dir():
    raise UserError(f'{path}: is a folder; give the name of a file')
  check_writable(path.resolve().parent)
  if path.exists() and not (report := report_of(path)).is_file():
    raise UserError(
      f'{path}: exists, and no earlier call made it ({report.name} is not'
      ' beside it); give another name'
    )


def report_of(video: Path) -> Path:
  """Where the report of a video lies."""
  return video.with_name(f'{video.name}.report.json')


def resize(frame: np.ndarray, size: int) -> np.ndarray:
  """uint8 [S, S, 3] to [size, size, 3] for viewing."""
  if frame.shape[0] == size:
    return frame
  resized = cv2.resize(frame, (size, size), interpolation=cv2.INTER_CUBIC)
  return np.asarray(resized)


@functools.partial(jax.jit, static_argnames='size')
def _resize_batch(frames, size):
  """uint8 [B, S, S, 3] to [B, size, size, 3], on the device."""
  if frames.shape[1] == size:
    return frames
  shape = (len(frames), size, size, 3)
  resized = jax.image.resize(frames.astype(jnp.float32), shape, 'cubic')
  return jnp.clip(jnp.round(resized), 0, 255).astype(jnp.uint8)


def sound_and_seal(
  driver: Driver, seconds: float, marks: Marks
) -> Callable[[Path, str], None]:
  """What completes a written video: the driver's sound, then a signature.

  Args:
    driver: its sound is added where it has any.
    seconds: length of the video.
    marks: who signs, and what.
  """

  def seal(path: Path, title: str) -> None:
    if driver.sound:
      add_sound(path, driver.sound, driver.start, seconds)
    marks.seal(path, title)

  return seal


def _paste_batches(frames, paste):
  """Whole portraits, a few at a time, because they are large."""
  for start in range(0, len(frames), _PASTED_AT_ONCE):
    part = [paste(frame) for frame in frames[start : start + _PASTED_AT_ONCE]]
    count = len(part)  # one size of batch compiles once
    yield np.stack(part + part[-1:] * (_PASTED_AT_ONCE - count)), count


def write_video(
  path: str | os.PathLike,
  person: Person,
  driver: Driver,
  size: int,
  marks: Marks,
  progress: Callable[[Iterable], Iterable] = iter,
  paste: Paste | None = None,
  keep: bool = True,
) -> np.ndarray | None:
  """Writes the animation by one driver as an mp4.

  Frames are generated and marked while those before them are encoded.

  Args:
    path: of the mp4; it appears whole, marked and signed, or not at all.
    person: Person.
    driver: its points are in pixels of the person's image size.
    size: side of the video in pixels.
    marks: what the file says of its origin.
    progress: wraps the frames, as tqdm does.
    paste: puts every frame into the person's portrait. The video then has the
      portrait's size, and its manifest says that it is a composite.
    keep: whether to return the frames; without, memory does not grow with the
      driver's length.

  Returns:
    uint8 [F, S, S, 3], the unmarked frames at the person's image size; None
    without `keep`.
  """
  kept, stamp = [], Stamp(marks)
  if paste is not None:
    marks = marks.composite()

  def marked_frames():
    for frames, count in person.generate_batches(
      driver.points, gaze=driver.gaze
    ):
      if keep or paste is not None:
        plain = np.asarray(frames)[:count]
      if keep:
        kept.append(plain)
      if paste is None:
        yield from np.asarray(stamp(_resize_batch(frames, size)))[:count]
        continue
      for whole, number in _paste_batches(plain, paste):
        yield from np.asarray(stamp(whole))[:number]

  seal = sound_and_seal(driver, len(driver.points) / driver.fps, marks)
  with (
    VideoWriter(path, driver.fps, seal=seal) as writer,
    contextlib.closing(ahead(marked_frames(), _AHEAD)) as frames,
  ):
    for frame in progress(frames):
      writer.write(frame)
  return np.concatenate(kept) if keep else None


def write_marked_png(
  path: str | os.PathLike, image: np.ndarray, marks: Marks
) -> None:
  """Writes uint8 [H, W, 3] as a PNG with a watermark and a signature."""
  (marked,) = np.asarray(Stamp(marks)(image[None]))
  write_png(path, marked, marks.seal)
