"""A whole animation, as a user runs it: file in, signed file out.

`launch.animate` with the small model at 128² and a driver of 256² pixels, in a
process of its own: start, reading, landmarks, drawing, marking, encoding and
signing are in the time, and the process's memory at its largest is known.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from flaxheads import fewshot
from flaxheads import networks as nets
from flaxheads.config import Config, ModelConfig
from flaxheads.data.synthetic_heads import make_clip
from flaxheads.data.video_writer import VideoWriter
from flaxheads.fewshot.direct import without_projection
from tests import tiny_game
from tests.benchmark import clock, resident

SIDE, DRIVER_SIDE, FPS = 128, 256, 25
_CLIP = 48  # frames, at most, of which a driver is made, there and back again


def _watch(child) -> tuple[bytes, int | None]:
  """What a process says until it ends, and its largest memory in bytes.

  Linux tells it while the process lives; what it tells at the end counts the
  memory of whoever started it.
  """
  peak = None
  while True:
    try:
      _, said = child.communicate(timeout=0.1)
      return said, peak
    except subprocess.TimeoutExpired:
      peak = resident.peak(child.pid) or peak


class Stage:
  """A person and drivers on disk, for as long as they are needed.

  Args:
    lengths: frames of the drivers.
    side: of the model's frames, pixels.
    driver_side: of the drivers' frames, a multiple of `side`.
  """

  def __init__(self, lengths, side=SIDE, driver_side=DRIVER_SIDE):
    self._folder = tempfile.TemporaryDirectory(prefix='flaxheads-benchmark-')
    self.peaks: dict[str, int | None] = {}  # bytes, by the program's name
    root = self.root = Path(self._folder.name)
    count = min(_CLIP, max(lengths))
    frames, points = make_clip(0, 0, count, driver_side)
    self._save_person(frames[0], points[:1], side)
    places = np.concatenate([np.arange(count), np.arange(count)[::-1]])
    for length in lengths:
      with VideoWriter(root / f'{length}.mp4', FPS) as writer:
        for i in range(length):
          writer.write(frames[places[i % len(places)]])

  def _save_person(self, frame, points, side):
    config = ModelConfig.small(side)
    networks = nets.build_networks(config)
    params = tiny_game.make_params(Config(model=config))
    scale = len(frame) // side
    person = fewshot.DirectPerson(
      config=config,
      generator=without_projection(params['generator']),
      adain_params=np.zeros(networks.generator.num_adain_params, np.float32),
      frame=frame[::scale, ::scale],
      support_points=points.astype(np.float32) / scale,
      info={'method': 'feed-forward', 'num_shots': 1},
    )
    fewshot.save_person(str(self.root / 'person'), person)

  def program(self, name: str, length: int, kept=True) -> clock.Program:
    """An animation of `length` frames as something to time.

    Args:
      name: of the program.
      length: one of those given.
      kept: whether compiled programs of earlier runs may be used.
    """

    def run():
      cache = self.root / 'programs'
      if not kept:
        cache = Path(tempfile.mkdtemp(dir=self.root))
      command = [
        *(sys.executable, '-m', 'launch.animate'),
        f'--person={self.root / "person"}',
        f'--driver={self.root / f"{length}.mp4"}',
        f'--output={self.root / "out.mp4"}',
      ]
      env = os.environ | {
        'JAX_COMPILATION_CACHE_DIR': str(cache),
        'JAX_ENABLE_COMPILATION_CACHE': 'true',
        'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',  # beside this process
      }
      with subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
      ) as child:
        said, peak = _watch(child)
      if child.returncode:
        raise RuntimeError(f'launch.animate failed: {said.decode()[-500:]}')
      self.peaks[name] = peak  # of the last run

    return clock.Program(name, run)

  def close(self):
    """Removes everything."""
    self._folder.cleanup()
