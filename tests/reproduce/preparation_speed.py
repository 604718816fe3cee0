"""Two workers prepare as fast as two programs on halves of the input.

The tree of `make proof NAME=preparation`, prepared in one run by turns: by one
call with two workers, and by two calls with one worker at the same time, each
on half of the people. Wanted: two workers reach 90 % of the two programs.
Prints frames a second for each core, and what VoxCeleb2 would take.
"""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from flaxheads.data.preparation.report import read_report
from flaxheads.data.preparation.scan import scan
from flaxheads.errors import UserError
from flaxheads.landmarks.detect import make_detector
from launch import app
from tests.reproduce import _commands as commands
from tests.reproduce._voxceleb_tree import make_tree

_FOLDER = Path('out/reproduce/preparation')
_ROUNDS = 3
_VIDEOS, _CLIPS, _SECONDS = 145_569, 1_092_009, 2_360.2 * 3600  # dev, published
_FPS = 25


def _start(source, data_dir, num_workers):
  shutil.rmtree(data_dir, ignore_errors=True)
  return subprocess.Popen(
    [
      *(sys.executable, '-m', 'launch.prepare', '--dataset=voxceleb2'),
      *(f'--source={source}', f'--data_dir={data_dir}'),
      f'--num_workers={num_workers}',
    ],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )


def _time(processes) -> float:
  started = time.monotonic()
  processes = processes()
  if any(process.wait() for process in processes):
    raise SystemExit('a preparation failed')
  return time.monotonic() - started


def _make_halves(tree):
  """Two trees of links, each with every other identity."""
  people = sorted(tree.glob('*/mp4/*'))
  halves = [_FOLDER / 'half0', _FOLDER / 'half1']
  for number, person in enumerate(people):
    link = halves[number % 2] / person.relative_to(tree)
    link.parent.mkdir(parents=True, exist_ok=True)
    if not link.exists():
      os.symlink(person.resolve(), link)
  return halves


def _costs(tree):
  """Seconds of one core for a frame decoded, and for one looked at.

  The same files, with faces looked for in every frame and in one of each file.
  """
  detector = make_detector(often=True)
  job_paths = sorted((tree / 'dev').rglob('*.mp4'))
  seconds, decoded, looked = {}, {}, {}
  for stride in (1, 10**6, 1, 10**6):  # the first two rounds warm up
    started, decoded[stride], looked[stride] = time.process_time(), 0, 0
    for path in job_paths:
      with contextlib.suppress(UserError):
        scanned = scan(str(path), stride, 10**6, detector)
        decoded[stride] += scanned.num_frames
        looked[stride] += scanned.num_scanned
    seconds[stride] = time.process_time() - started
  look = (seconds[1] - seconds[10**6]) / (looked[1] - looked[10**6])
  frame = (seconds[10**6] - look * looked[10**6]) / decoded[10**6]
  return frame, look


def _project(frame, look):
  frames, looks = _SECONDS * _FPS, _VIDEOS * 2 * 64
  decoding, looking = frames * frame / 3600, looks * look / 3600
  print(
    f'one core: {1 / frame:.0f} frames decoded a second, {1 / look:.0f} looked'
    f' at\nVoxCeleb2 (dev): {_CLIPS} clips, {frames / 1e6:.0f} M frames to'
    f' decode: {decoding:.0f} core-hours; {_VIDEOS} videos x 128 looks ='
    f' {looks / 1e6:.1f} M: {looking:.0f} core-hours; together'
    f' {decoding + looking:.0f}'
  )


def main():
  """Measures by turns and prints the verdict."""
  make_tree(_FOLDER / 'tree')
  halves = _make_halves(_FOLDER / 'tree')
  one, two = [], []
  for _ in range(_ROUNDS):
    one.append(_time(lambda: [_start(_FOLDER / 'tree', _FOLDER / 'speed', 2)]))
    two.append(
      _time(
        lambda: [
          _start(half, _FOLDER / f'speed{i}', 1)
          for i, half in enumerate(halves)
        ]
      )
    )
    print(
      f'two workers {one[-1]:.1f} s, two programs {two[-1]:.1f} s', flush=True
    )
  share = statistics.median(two) / statistics.median(one)
  report = read_report(_FOLDER / 'speed' / 'voxceleb2' / '1.0.0')
  rate = report['frames_read'] / statistics.median(one) / 2
  print(f'{rate:.0f} frames a second for each core, start included')
  _project(*_costs(_FOLDER / 'tree'))
  commands.conclude(
    [(f'two workers reach {share:.0%} of two programs', share >= 0.9)]
  )


if __name__ == '__main__':
  app.run(main)
