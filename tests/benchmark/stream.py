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

import jax
import numpy as np

from flaxheads import fewshot
from flaxheads import networks as nets
from flaxheads.config import ModelConfig
from flaxheads.data.synthetic_heads import make_clip
from flaxheads.data.video_writer import VideoWriter
from flaxheads.fewshot.direct import without_projection
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
  """

  def __init__(self, lengths):
    self._folder = tempfile.TemporaryDirectory(prefix='flaxheads-benchmark-')
    self.peaks: dict[str, int | None] = {}  # bytes, by the program's name
    root = self.root = Path(self._folder.name)
    count = min(_CLIP, max(lengths))
    frames, points = make_clip(0, 0, count, DRIVER_SIDE)
    self._save_person(frames, points)
    places = np.concatenate([np.arange(count), np.arange(count)[::-1]])
    for length in lengths:
      with VideoWriter(root / f'{length}.mp4', FPS) as writer:
        for i in range(length):
          writer.write(frames[places[i % len(places)]])

  def _save_person(self, frames, points):
    config = ModelConfig.small(SIDE)
    networks = nets.build_networks(config)
    init = jax.jit(lambda key: nets.init_params(networks, key)['generator'])
    person = fewshot.DirectPerson(
      config=config,
      generator=without_projection(init(jax.random.key(0))),
      adain_params=np.zeros(networks.generator.num_adain_params, np.float32),
      frame=frames[0, :: DRIVER_SIDE // SIDE, :: DRIVER_SIDE // SIDE],
      support_points=points[:1].astype(np.float32) * (SIDE / DRIVER_SIDE),
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
