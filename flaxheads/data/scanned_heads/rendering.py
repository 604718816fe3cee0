"""Renders the clips of a dataset in several processes; finished ones are kept.

A finished clip is a file that is named by a hash of everything that its record
depends on, so that an interrupted preparation resumes.
"""

import concurrent.futures
import hashlib
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from etils import epath

from flaxheads.data import records
from flaxheads.data.preparation.guard import exit_with_parent
from flaxheads.data.scanned_heads import assets as assets_lib

# To be raised when a change alters the frames of the same clips.
VERSION = 1


class Clip(NamedTuple):
  """A clip of a dataset, and all that its record follows from."""

  split: str
  family: str
  identity: int
  number: int  # of the person's clips
  num_frames: int
  fps: float
  image_size: int
  seed: int

  @property
  def identity_id(self) -> str:
    prefix = 'scanned' if self.family == 'makehuman' else self.family
    return f'{prefix}_{self.identity:07d}'

  @property
  def video_id(self) -> str:
    return f'{self.identity_id}/{self.number:02d}'

  def path(self, folder) -> epath.Path:
    """The file of the finished clip."""
    what = json.dumps([VERSION, *self])
    name = hashlib.sha256(what.encode()).hexdigest()[:32]
    return epath.Path(folder) / f'{name}.record'


def _make_record(clip: Clip, mirror: str) -> dict:
  # Late: reading the dataset needs no OpenGL.
  from flaxheads.data.scanned_heads import clip as clip_lib

  frames, points = clip_lib.make_clip(
    assets_lib.open_assets(mirror),
    clip.seed,
    clip.identity,
    clip.num_frames,
    clip.image_size,
    motion_index=clip.number,
    fps=clip.fps,
    family=clip.family,
  )
  times = np.arange(clip.num_frames) / clip.fps  # [F] seconds
  return records.make_record(
    frames,
    points,
    times,
    video_id=clip.video_id,
    identity_id=clip.identity_id,
  )


def _finish(folder: str, clip: Clip, mirror: str) -> Clip:
  """Renders a clip and writes its file."""
  data = records.features().serialize_example(_make_record(clip, mirror))
  path = clip.path(folder)
  part = path.with_name(f'{path.name}.part')
  part.write_bytes(data)
  part.replace(path)
  return clip


def _start_worker():
  # The parent hears the interrupt and ends the pool.
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  exit_with_parent()
  # A process for each core: Mesa's own threads would only compete.
  os.environ.setdefault('LP_NUM_THREADS', '0')


def render(
  folder,
  clips: list[Clip],
  mirror: str,
  num_workers: int,
  on_clip: Callable[[Clip], None],
) -> None:
  """Renders those clips that are not finished.

  Args:
    folder: of finished clips.
    clips: all.
    mirror: folder of the assets.
    num_workers: processes; 1: this one.
    on_clip: called after every clip, at once for those finished before.
  """
  folder, left = os.fspath(folder), []
  for clip in clips:
    if clip.path(folder).exists():
      on_clip(clip)
    else:
      left.append(clip)
  if min(num_workers, len(left)) <= 1:
    for clip in left:
      on_clip(_finish(folder, clip, mirror))
    return
  pool = concurrent.futures.ProcessPoolExecutor(
    min(num_workers, len(left)),
    multiprocessing.get_context('spawn'),
    _start_worker,
  )
  with pool:
    try:
      futures = [pool.submit(_finish, folder, clip, mirror) for clip in left]
      for future in concurrent.futures.as_completed(futures):
        on_clip(future.result())
    except BaseException:
      pool.shutdown(wait=False, cancel_futures=True)
      raise


def read(folder, clips: list[Clip], split: str) -> Iterator[tuple[str, dict]]:
  """(video_id, record) of the finished clips of a split."""
  features = records.features()
  for clip in clips:
    if clip.split == split:
      data = clip.path(folder).read_bytes()
      yield clip.video_id, features.deserialize_example_np(data)
