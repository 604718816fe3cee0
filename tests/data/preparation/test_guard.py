"""A file that breaks the decoder costs that file and nothing else."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from flaxheads.data import records
from flaxheads.data.preparation import guard
from flaxheads.data.preparation.job import Job, Options, Outcome, PageImage
from tests.data.preparation.conftest import draw


def _job(*paths):
  return Job(tuple(map(str, paths)), 'v', 'anna', 'train')


@pytest.fixture(scope='module')
def worker():
  worker = guard.Worker(Options(image_size=32, max_frames=8))
  yield worker
  worker.close()


def test_outcomes_survive_json():
  picture = PageImage('kept', 'v', b'\xff\xd8\x00')
  outcome = Outcome('v', 'p', 'test', 3, '', 9, 5, {'x': 1}, {}, (picture,))
  assert guard.decode_outcome(guard.encode_outcome(outcome)) == outcome


def test_a_worker_does_one_job_after_the_other(worker, write_video, tmp_path):
  blank = write_video('a.mp4', [draw(size=0)] * 3)
  data, outcome = worker(_job(blank))
  assert data == b'' and outcome.reason == 'no good frame, mostly: no face'
  assert outcome.num_read == 3
  data, outcome = worker(_job(tmp_path / 'none.mp4'))
  assert data == b'' and outcome.reason == 'no such file; give a video'


def test_a_worker_that_dies_is_replaced(worker, write_video):
  path = write_video('a.mp4', [draw(size=0)] * 400)
  small = write_video('b.mp4', [draw(size=0)] * 2)
  worker(_job(small))
  pid = worker._process.pid
  threading.Timer(0.05, os.kill, (pid, signal.SIGSEGV)).start()
  _, outcome = worker(_job(path))
  assert outcome.reason == 'breaks the decoder (exit code -11)'
  assert worker(_job(small))[1].reason == 'no good frame, mostly: no face'
  assert worker._process.pid != pid


def test_work_without_end_is_ended(write_video):
  path = write_video('a.mp4', [draw(size=0)] * 900)
  worker = guard.Worker(Options(image_size=32, max_frames=1024, max_seconds=1))
  _, outcome = worker(_job(*[path] * 200))
  assert outcome.reason == 'takes more than 1 s of work'
  assert worker._process is None


_PARENT = """
import time
from flaxheads.data.preparation import guard
from flaxheads.data.preparation.job import Options
if __name__ == '__main__':
  worker = guard.Worker(Options())
  worker._start()
  print(worker._process.pid, flush=True)
  time.sleep(60)
"""


def test_a_process_ends_with_its_parent(tmp_path):
  (tmp_path / 'parent.py').write_text(_PARENT)
  parent = subprocess.Popen(
    [sys.executable, str(tmp_path / 'parent.py')],
    stdout=subprocess.PIPE,
    text=True,
  )
  child = pathlib.Path(f'/proc/{int(parent.stdout.readline())}/stat')
  assert child.exists()
  parent.kill()
  parent.wait()
  for _ in range(100):
    if not child.exists() or child.read_text().split()[2] == 'Z':
      return
    time.sleep(0.1)
  pytest.fail('the worker lives on')


def test_records_come_back_whole(worker, real_clips):
  data, outcome = worker(_job(real_clips / 'clips' / 'grid_bbaf2n.mp4'))
  record = records.features().deserialize_example_np(data)
  assert record['num_frames'] == outcome.num_frames == 8
  assert outcome.images[0].group == 'kept'
