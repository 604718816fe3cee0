"""Clips to mark by tests/reproduce/watermark.py: moved photographs.

Of eight clips four are synthetic heads and three are the portraits of
FLAXHEADS_REAL_CLIPS, moved as by default; where there is no such folder all
seven are synthetic heads. The eighth is a head as the renderer makes it.
"""

import functools
import os
from pathlib import Path

import cv2
import numpy as np

import flaxheads
from flaxheads.data import synthetic_heads
from flaxheads.data.driver import Driver
from flaxheads.data.kinds import VIDEO_EXTENSIONS
from flaxheads.errors import UserError
from flaxheads.fewshot import animation_job
from flaxheads.fewshot.model import choose_model
from flaxheads.fewshot.photo_person import (
  MAX_SIZE,
  MIN_SIZE,
  person_of_crops,
  photo_person,
)
from flaxheads.provenance import examine

FPS = 25.0
_SHOTS = 4  # of a synthetic head
_RENDERED, _PORTRAITS, _OF = (7,), (1, 3, 5), 8


def sized(frame: np.ndarray, size: int) -> np.ndarray:
  """A square picture, uint8 [S, S, 3], scaled to [size, size, 3]."""
  shrinks = frame.shape[0] > size
  how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
  return cv2.resize(frame, (size, size), interpolation=how)


def real_footage() -> Path | None:
  """The folder of FLAXHEADS_REAL_CLIPS."""
  folder = os.environ.get('FLAXHEADS_REAL_CLIPS')
  return Path(folder) if folder else None


@functools.cache
def _model():
  return choose_model(None)


@functools.cache
def _portraits() -> tuple:
  """A person of every portrait that shows exactly one face, and its name."""
  folder, people = real_footage(), []
  if folder is None or not (folder / 'portraits').is_dir():
    return ()
  for path in examine.files_of(folder / 'portraits'):
    if path.suffix in VIDEO_EXTENSIONS:
      continue
    try:
      support = flaxheads.load_support(path, MAX_SIZE)
    except UserError:
      continue
    people.append((path.stem, photo_person(support, _model())))
  return tuple(people)


def _head(seed: int, number: int):
  frames, points = synthetic_heads.make_clip(
    seed, number, _SHOTS, MIN_SIZE, fps=1.0
  )
  return person_of_crops(frames, points, _model())


def _moved(person, seed: int, number: int, num_frames: int) -> np.ndarray:
  """A person with another head's motion, uint8 [F, S, S, 3]."""
  identity, motion = synthetic_heads.sample_clip(
    seed + 2, number, num_frames, fps=FPS
  )
  points = synthetic_heads.head_points(identity, motion, person.image_size)
  driver = Driver('', points, FPS, None, [])
  driver = animation_job.fit_points(person, driver, 'relative', False, False)
  return flaxheads.animate(person, driver.points)


def make(
  number: int, seed: int, num_frames: int, size: int, draw_size: int
) -> tuple[str, np.ndarray]:
  """A clip.

  Args:
    number: which.
    seed: others make other clips.
    num_frames: F.
    size: side of the clip, pixels.
    draw_size: side at which the renderer draws those that no model draws.

  Returns:
    What it shows, and uint8 [F, size, size, 3].
  """
  kind, people = number % _OF, _portraits()
  if kind in _RENDERED:
    what = 'rendered head'
    frames, _ = synthetic_heads.make_clip(
      seed, number, num_frames, draw_size, fps=FPS
    )
  elif kind in _PORTRAITS and people:
    turn = number // _OF * len(_PORTRAITS) + _PORTRAITS.index(kind)
    name, person = people[turn % len(people)]
    what = f'portrait {name}, moved'
    frames = _moved(person, seed, number, num_frames)
  else:
    what = 'synthetic head, moved'
    frames = _moved(_head(seed, number), seed, number, num_frames)
  return what, np.stack([sized(np.asarray(each), size) for each in frames])
