"""The page's memory is flat over fifty visits, and nothing of them is left.

Each visit uploads a photograph and a short clip, waits for its video and ends.
Wanted: after the last visit at most 100 MiB more than after the tenth, and no
file of a visitor a minute after they left.
"""

import contextlib
import os
import signal
import tempfile
import time
from pathlib import Path

from absl import flags

from launch import app
from tests.benchmark.first_picture import Visit
from tests.launch import commands, footage
from tests.reproduce import _commands

FLAGS = flags.FLAGS
flags.DEFINE_integer('visits', 50, 'How many.', lower_bound=11)
flags.DEFINE_integer('frames', 8, 'Of the clip.', lower_bound=1)

_BEFORE = 10  # visits, until which memory may grow
_MOST_MORE = 100 << 20  # bytes
_A_MINUTE = 60  # seconds


def _resident(process: int) -> int:
  """Bytes of memory that a process has now."""
  pages = Path(f'/proc/{process}/statm').read_text().split()[1]
  return int(pages) * os.sysconf('SC_PAGE_SIZE')


def _visit(port: int, photo: Path, clip: Path) -> None:
  visit = Visit(port)
  visit.give(photo, clip)
  with contextlib.closing(visit.states()) as states:
    for state in states:
      if state['result']:
        return
      if state['wrong']:
        raise RuntimeError(state['wrong'])


def main():
  """Visits the page; exits 1 where memory grows or files stay."""
  with tempfile.TemporaryDirectory() as folder:
    work = Path(folder)
    footage.write_pictures(work / 'photos', 1)
    footage.write_video(work / 'clip.mp4', FLAGS.frames, 25)
    (work / 'page').mkdir()
    port = commands.free_port()
    page = commands.start('demo', f'--port={port}', TMPDIR=str(work / 'page'))
    page.stdout.readline()
    grown = {}
    for number in range(1, FLAGS.visits + 1):
      _visit(port, work / 'photos' / '0.png', work / 'clip.mp4')
      grown[number] = _resident(page.pid)
      print(f'visit {number}: {grown[number] / 2**20:.0f} MiB', flush=True)
    time.sleep(_A_MINUTE)
    left = [str(path) for path in work.glob('page/*/visitor-*')]
    page.send_signal(signal.SIGTERM)
    page.wait()
  more = grown[FLAGS.visits] - grown[_BEFORE]
  _commands.conclude(
    [
      (f'{more / 2**20:.0f} MiB more than after 10 visits', more < _MOST_MORE),
      (f'left of visitors after a minute: {left or "nothing"}', not left),
    ]
  )


if __name__ == '__main__':
  app.run(main)
