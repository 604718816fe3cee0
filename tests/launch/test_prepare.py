"""launch.prepare as users call it, on broken files and on real clips."""

import os
import subprocess
import sys

import numpy as np
import pytest

from flaxheads.data import pipeline, records
from flaxheads.data.preparation.report import read_report
from flaxheads.data.video_writer import VideoWriter
from tests.launch.commands import call


def _prepare(*arguments):
  """As a process: it starts workers, or its stderr is looked at."""
  return subprocess.run(
    [sys.executable, '-m', 'launch.prepare', *arguments],
    capture_output=True,
    text=True,
    env={**os.environ, 'JAX_PLATFORMS': 'cpu'},
  )


def test_prepare_refuses_with_one_line_and_code_2(tmp_path):
  done = _prepare('--source=/nowhere', f'--data_dir={tmp_path}')
  assert done.returncode == 2
  assert done.stderr.count('\n') == 1 and "'/nowhere'" in done.stderr
  assert not done.stdout
  done = call('prepare', '--source=/nowhere')
  assert done.code == 2 and '--data_dir' in done.err


@pytest.mark.parametrize('place', ['a_file', 'a_file/below', '/proc/nowhere'])
@pytest.mark.parametrize('dataset', ['synthetic_heads', 'video_folder'])
def test_a_place_that_cannot_hold_a_data_set(tmp_path, place, dataset):
  (tmp_path / 'a_file').write_text('mine')
  folder = tmp_path / place  # an absolute place stays what it is
  done = call(
    'prepare',
    f'--dataset={dataset}',
    f'--data_dir={folder}',
    f'--source={tmp_path}',
  )
  assert done.code == 2
  assert str(folder) in done.err and done.err.count('\n') == 1
  assert [path.name for path in tmp_path.iterdir()] == ['a_file']


def test_prepare_survives_broken_files(tmp_path):
  videos = tmp_path / 'videos'
  videos.mkdir()
  (videos / 'text.mp4').write_text('I am no video.\n' * 99)
  (videos / 'empty.mp4').write_bytes(b'')
  rng = np.random.default_rng(0)
  with VideoWriter(videos / 'whole.mp4', fps=25) as writer:
    for _ in range(5):
      writer.write(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8))
  data = (videos / 'whole.mp4').read_bytes()
  (videos / 'truncated.mp4').write_bytes(data[: len(data) // 2])
  done = _prepare(f'--source={videos}', f'--data_dir={tmp_path / "data"}')
  assert done.returncode == 2, done.stderr
  last = done.stderr.strip().splitlines()[-1]
  assert 'nothing usable' in last and 'unexpected' not in last
  assert 'Traceback' not in done.stderr


def test_prepare_makes_real_clips_and_keeps_them(real_clips, tmp_path):
  arguments = (
    f'--source={real_clips / "clips"}',
    f'--data_dir={tmp_path}',
    '--only=grid_bbaf2n,pcavs_620900105,edge_no_face,edge_two_faces_intel',
    '--test_identities=pcavs_620900105',
  )
  done = _prepare(*arguments)
  assert done.returncode == 0, done.stderr
  folder = pipeline.find_dataset('video_folder', tmp_path)
  report = read_report(folder)
  dropped = [each['file'] for each in report['dropped_files']]
  assert 'edge_no_face.mp4' in dropped and len(dropped) < 4
  assert 'unexpected' not in str(report['dropped_by_reason'])
  test = pipeline.make_source('video_folder', tmp_path, 'test')
  (record,) = [test[index] for index in range(len(test))]
  assert records.text(record['identity_id']) == 'pcavs_620900105'
  assert 2 <= record['num_frames'] <= records.MAX_FRAMES
  # The clip's crop is made of its points: they lie in the picture, and the
  # face fills a good part of it.
  points = record['points']
  assert (points > -0.1 * 256).all() and (points < 1.1 * 256).all()
  extent = np.ptp(points, axis=1).max(-1)
  assert np.median(extent) > 0.25 * 256
  again = _prepare(*arguments)
  assert again.returncode == 0 and 'exists already' in again.stdout
  other = _prepare(*arguments[:2], '--only=grid_bbaf2n')
  assert other.returncode == 2 and 'made with' in other.stderr
