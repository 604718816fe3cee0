"""Builders: what is kept, dropped and written, and reads back."""

import dataclasses
import itertools
import os
import subprocess
import sys
import types

import numpy as np
import pytest

from flaxheads.data import (
  beam_build,
  clips,
  pipeline,
  preparation,
  records,
  video_folder,
)
from flaxheads.data.video import VideoWriter
from flaxheads.errors import UserError

SIZE = 32


def _clip(path, image_size, num_frames=10, **_):
  """Stands for `clips.load_clip`: shades tell the frame, points the path."""
  name = os.path.basename(path)
  if name.startswith('broken'):
    raise UserError(f'{path}: is not a video')
  if name.startswith('short'):
    num_frames = int(name[5])
  if name.startswith('defect'):
    raise ZeroDivisionError('oops')
  shades = np.arange(num_frames, dtype=np.uint8) * 10
  shape = (1, image_size, image_size, 3)
  return types.SimpleNamespace(
    frames=shades[:, None, None, None] * np.ones(shape, np.uint8),
    points=np.full((num_frames, 68, 2), len(name), np.float32),
    times=np.arange(num_frames) / 25,
  )


@pytest.fixture
def stub_clips(monkeypatch):
  """No detector is needed, and no real video."""
  monkeypatch.setattr(beam_build, 'make_detector', lambda: None)
  monkeypatch.setattr(clips, 'load_clip', _clip)


@pytest.fixture
def videos(tmp_path):
  folder = tmp_path / 'videos'
  for name in (
    'anna/day1/a.mp4',
    'anna/day2/a.MOV',
    'ben/b.mp4',
    'carl.mp4',
    'broken1.mp4',
    'broken2.mp4',
    'defect.mp4',
    'short1.mp4',
    'notes.txt',
    '.hidden.mp4',
  ):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'x')
  return folder


def _options(source, **kwargs):
  return video_folder.VideoFolderOptions(
    **{'source': str(source), 'image_size': SIZE, 'max_frames': 6, **kwargs}
  )


def _build(options, data_dir, seen=None):
  builder = video_folder.VideoFolder(options=options, data_dir=data_dir)
  on_outcome = (lambda outcome: None) if seen is None else seen.append
  return preparation.build(builder, on_outcome=on_outcome, **beam_build.local())


def test_jobs_name_identities_by_the_top_folder(videos):
  jobs = video_folder.list_jobs(_options(videos, test_identities=('ben',)))
  by_id = {job.video_id: job for job in jobs}
  assert list(by_id) == sorted(by_id)
  assert len(by_id) == 8  # neither notes.txt nor the hidden one
  assert by_id['anna/day1/a.mp4'].identity_id == 'anna'
  assert by_id['anna/day2/a.MOV'].identity_id == 'anna'
  assert by_id['carl.mp4'].identity_id == 'carl'
  assert {job.video_id for job in jobs if job.split == 'test'} == {'ben/b.mp4'}


def test_exclude_and_only_choose_by_name_or_path(videos):
  def ids(**kwargs):
    jobs = video_folder.list_jobs(_options(videos, **kwargs))
    return [job.video_id for job in jobs]

  assert ids(only=('carl', 'b')) == ['ben/b.mp4', 'carl.mp4']
  assert ids(only=('a',), exclude=('anna/day1/a',)) == ['anna/day2/a.MOV']
  assert len(ids(exclude=('carl.mp4',))) == 7


@pytest.mark.parametrize(
  'kwargs, message',
  [
    ({'exclude': ('karl',)}, "--exclude: .*'karl'"),
    ({'only': ('karl',)}, "--only: .*'karl'"),
    ({'test_identities': ('b',)}, "--test_identities: .*'b'"),
    ({'only': ('carl',), 'exclude': ('carl',)}, 'leave no video'),
    ({'source': '/nowhere'}, "--source: '/nowhere' is not a folder"),
    ({'source': ''}, "--source: '' is not a folder"),
  ],
)
def test_wrong_names_are_refused(videos, kwargs, message):
  with pytest.raises(UserError, match=message):
    video_folder.list_jobs(_options(**{'source': videos, **kwargs}))


def test_a_folder_without_videos_is_refused(tmp_path):
  with pytest.raises(UserError, match='no videos below'):
    video_folder.list_jobs(_options(tmp_path))


def test_video_folder_keeps_the_good_and_counts_the_bad(
  videos, tmp_path, stub_clips
):
  seen = []
  options = _options(videos, test_identities=('ben',))
  folder = _build(options, tmp_path / 'data', seen)

  report = preparation.read_report(folder)
  assert (report['kept'], report['dropped'], len(seen)) == (4, 4, 8)
  assert report['options']['test_identities'] == ['ben']
  assert report['dropped_by_reason'] == {
    'is not a video': 2,
    'unexpected ZeroDivisionError, see the log': 1,
    'N frames with a face, but min_frames=N': 1,
  }
  assert [each['file'] for each in report['dropped_files']] == [
    'broken1.mp4',
    'broken2.mp4',
    'defect.mp4',
    'short1.mp4',
  ]
  train = report['splits']['train']
  assert (train['videos'], train['identities'], train['frames']) == (3, 2, 18)
  assert train['fewest_frames'] == {
    'video_id': 'anna/day1/a.mp4',
    'num_frames': 6,
  }

  source = pipeline.make_source('video_folder', tmp_path / 'data', 'train')
  names = {
    records.text(record['video_id'])
    for record in map(source.__getitem__, range(3))
  }
  assert names == {'anna/day1/a.mp4', 'anna/day2/a.MOV', 'carl.mp4'}
  record = source[0]
  np.testing.assert_allclose(record['times'] * 25, records.spread(10, 6), 1e-5)
  frames, points = records.decode_frames(record, range(6), SIZE)
  shades = frames.mean((1, 2, 3))
  assert np.abs(shades - 10 * records.spread(10, 6)).max() < 1.5
  assert points.shape == (6, 68, 2)
  test = pipeline.make_source('video_folder', tmp_path / 'data', 'test')
  assert len(source) == 3 and len(test) == 1
  assert records.text(test[0]['identity_id']) == 'ben'


def test_prepared_records_stream_with_threads_and_workers(
  videos, tmp_path, stub_clips
):
  _build(_options(videos), tmp_path)
  source = pipeline.make_source('video_folder', tmp_path, 'train')

  def batches(num_workers):
    iterator = pipeline.sample_iterator(
      source,
      num_support=2,
      batch_size=2,
      image_size=SIZE,
      seed=0,
      num_workers=num_workers,
    )
    return list(itertools.islice(iterator, 3))

  for mine, theirs in zip(batches(0), batches(2), strict=True):
    for one, other in zip(mine, theirs, strict=True):
      np.testing.assert_array_equal(one, other)
    for row, index in enumerate(mine.video_index):
      name = records.text(source[index]['video_id'])
      assert (mine.points[row] == len(os.path.basename(name))).all()
  with pytest.raises(UserError, match='has 6 frames, but num_support=6'):
    pipeline.sample_iterator(
      source, num_support=6, batch_size=1, image_size=SIZE, seed=0
    )
  with pytest.raises(UserError, match="no split 'test'; it has train"):
    pipeline.make_source('video_folder', tmp_path, 'test')


def test_nothing_usable_says_why_and_leaves_nothing(
  videos, tmp_path, stub_clips
):
  options = _options(videos, only=('broken1', 'broken2', 'short1', 'carl'))
  options = dataclasses.replace(options, test_identities=('broken1',))
  with pytest.raises(UserError, match="nothing usable.*'test'.*2 x is not a"):
    _build(options, tmp_path / 'data')
  left = [path for path in (tmp_path / 'data').rglob('*') if path.is_file()]
  assert not left
  assert pipeline.find_dataset('video_folder', tmp_path / 'data') is None


def test_a_missing_detector_is_told_before_the_pipeline_runs(
  videos, tmp_path, stub_clips, monkeypatch
):
  def missing():
    raise UserError('mediapipe is not installed; pip install it')

  monkeypatch.setattr(beam_build, 'make_detector', missing)
  with pytest.raises(UserError, match='mediapipe is not installed'):
    _build(_options(videos), tmp_path / 'data')


def test_tallies_merge_to_the_tally_of_all():
  outcomes = [
    preparation.Outcome(f'v{i}', f'p{i % 3}', 'train', num_frames=5 + i)
    for i in range(6)
  ]
  outcomes += [
    preparation.Outcome('bad1', 'q', 'train', reason='only 3 frames'),
    preparation.Outcome('bad2', 'q', 'test', reason='only 4 frames'),
  ]

  def tally(some):
    total = preparation.new_tally()
    for outcome in some:
      preparation.add(total, outcome)
    return total

  whole = preparation.summary(tally(outcomes), 'd', {})
  parts = [tally(outcomes[start::3]) for start in range(3)]
  assert preparation.summary(preparation.merge(parts), 'd', {}) == whole
  assert whole['dropped_by_reason'] == {'only N frames': 2}
  assert whole['splits']['train']['identities'] == 3
  with pytest.raises(UserError, match="split 'test'"):
    preparation.check_kept({**whole, 'options': {}})


def _prepare(*arguments):
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
  done = _prepare('--source=/nowhere')
  assert done.returncode == 2 and '--data_dir' in done.stderr


def test_prepare_survives_broken_files(tmp_path):
  pytest.importorskip('mediapipe')
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
    '--only=lp_d0,dpe_d,edge_no_face,edge_face_then_noface'
    ',edge_two_faces_intel',
    '--test_identities=dpe_d',
  )
  done = _prepare(*arguments)
  assert done.returncode == 0, done.stderr
  folder = pipeline.find_dataset('video_folder', tmp_path)
  report = preparation.read_report(folder)
  dropped = [each['file'] for each in report['dropped_files']]
  assert 'edge_no_face.mp4' in dropped and len(dropped) < 4
  assert 'unexpected' not in str(report['dropped_by_reason'])
  test = pipeline.make_source('video_folder', tmp_path, 'test')
  (record,) = [test[index] for index in range(len(test))]
  assert records.text(record['identity_id']) == 'dpe_d'
  assert 2 <= record['num_frames'] <= records.MAX_FRAMES
  # The clip's crop is made of its points: they lie in the picture, and the
  # face fills a good part of it.
  points = record['points']
  assert (points > -0.1 * 256).all() and (points < 1.1 * 256).all()
  extent = np.ptp(points, axis=1).max(-1)
  assert np.median(extent) > 0.25 * 256
  again = _prepare(*arguments)
  assert again.returncode == 0 and 'there already' in again.stdout
  other = _prepare(*arguments[:2], '--only=lp_d0')
  assert other.returncode == 2 and 'made with' in other.stderr
