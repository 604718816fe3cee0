"""Sample pictures and a sample driver: synthetic heads, rendered on demand."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from flaxheads.data import synthetic_heads
from flaxheads.data.image import write_png
from flaxheads.data.video_writer import VideoWriter
from flaxheads.provenance.credentials import ALGORITHMIC
from flaxheads.provenance.examine import SYNTHETIC_HEAD
from flaxheads.provenance.identity import installation
from flaxheads.provenance.marks import Marks

_SEED, _SIZE, _FPS = 127, 128, 25.0
_lock = threading.Lock()
_rendered = {}  # Samples by folder and numbers


class Samples(NamedTuple):
  """Files to try the page with.

  Attributes:
    pictures: of one head that does not exist.
    driver: a video of another.
  """

  pictures: list[Path]
  driver: Path


def _marks() -> Marks:
  # As launch.render_heads signs them: no rights are asked for.
  facts = {'kind': SYNTHETIC_HEAD, 'seed': _SEED}
  return Marks(installation(), None, facts, source_type=ALGORITHMIC)


def _render(folder, num_pictures, num_frames, tell) -> Samples:
  marks = _marks()
  tell('Rendering the pictures of a head that does not exist …')
  # Seconds apart, so that poses differ.
  frames, _ = synthetic_heads.make_clip(_SEED, 0, num_pictures, _SIZE, fps=1.0)
  pictures = [folder / f'head_{n}.png' for n in range(num_pictures)]
  for path, frame in zip(pictures, frames, strict=True):
    write_png(path, frame, marks.seal)
  tell('Rendering the driver, another head that does not exist …')
  frames, _ = synthetic_heads.make_clip(_SEED, 1, num_frames, _SIZE)
  driver = folder / 'driver.mp4'
  with VideoWriter(driver, _FPS, seal=marks.seal) as writer:
    for frame in frames:
      writer.write(frame)
  return Samples(pictures, driver)


def render_samples(
  folder: Path,
  tell: Callable[[str], None] = lambda text: None,
  num_pictures: int = 5,
  num_frames: int = 50,
) -> Samples:
  """Renders the samples, or returns those that are there.

  Args:
    folder: exists for as long as they are used.
    tell: called with a sentence on what is being done.
    num_pictures: of the portrait.
    num_frames: of the driver, at 25 a second.
  """
  with _lock:  # two visitors, one rendering
    key = (folder, num_pictures, num_frames)
    if key not in _rendered:
      _rendered[key] = _render(folder, num_pictures, num_frames, tell)
    return _rendered[key]
