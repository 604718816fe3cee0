"""The pipeline: what is kept, dropped, written, and not done twice."""

import dataclasses
import itertools
import json
import os
import threading

import numpy as np
import pytest

from flaxheads.data import pipeline, records, video_folder
from flaxheads.data.output_files import locked
from flaxheads.data.preparation import builder, report, shards
from flaxheads.data.preparation.job import Outcome, PageImage
from flaxheads.errors import UserError
from tests.data.prepared import touch

SIZE = 32
_JPEG = records.encode_jpeg(np.full((96, 96, 3), 128, np.uint8))


class FakeWorker:
  """Stands for guard.Worker: shades tell the frame, points the path."""

  done = []  # names of all jobs done
  fail_after = None
  _lock = threading.Lock()

  def __init__(self, options):
    self._options = options

  def __call__(self, job):
    with self._lock:
      self.done.append(job.video_id)
      if self.fail_after is not None and len(self.done) > self.fail_after:
        raise KeyboardInterrupt
    name = os.path.basename(job.paths[0])
    named = (job.video_id, job.identity_id, job.split)
    if name.startswith('broken'):
      return b'', Outcome(*named, reason=f'{name[6]} frames: no MP4')
    shades = np.arange(10, dtype=np.uint8) * 10
    record = records.make_record(
      shades[:, None, None, None] * np.ones((1, SIZE, SIZE, 3), np.uint8),
      np.full((10, 68, 2), len(name), np.float32),
      np.arange(10) / 25,
      video_id=job.video_id,
      identity_id=job.identity_id,
      max_frames=self._options.max_frames,
    )
    count = record['num_frames']
    outcome = Outcome(
      *named,
      count,
      num_read=10,
      num_scanned=5,
      frames={'blurred': 2},
      images=(
        PageImage('kept', name, _JPEG),
        PageImage('blurred', name, _JPEG),
      ),
    )
    return records.features().serialize_example(record), outcome

  def close(self):
    pass


@pytest.fixture
def fake(monkeypatch):
  """No detector is needed, and no real video."""
  monkeypatch.setattr(builder, 'Worker', FakeWorker)
  monkeypatch.setattr(FakeWorker, 'done', [])
  return FakeWorker


@pytest.fixture
def videos(tmp_path):
  return touch(
    tmp_path / 'videos',
    'anna/day1/a.mp4',
    'anna/day2/a.MOV',
    'ben/b.mp4',
    'carl.mp4',
    'broken1.mp4',
    'broken2.mp4',
  )


def _options(source, **kwargs):
  return video_folder.VideoFolderOptions(
    **{'source': str(source), 'image_size': SIZE, 'max_frames': 6, **kwargs}
  )


def _build(options, data_dir, seen=None, num_workers=2):
  made = video_folder.VideoFolder(
    options=options,
    data_dir=data_dir,
    pipeline_options=builder.local_options(num_workers),
  )
  on_outcome = (lambda outcome: None) if seen is None else seen.append
  return report.build(made, on_outcome=on_outcome)


def test_the_good_is_kept_and_the_bad_is_counted(videos, tmp_path, fake):
  seen = []
  options = _options(videos, test_identities=('ben',))
  folder = _build(options, tmp_path / 'data', seen)
  made = report.read_report(folder)
  assert (made['kept'], made['dropped'], len(seen)) == (4, 2, 6)
  assert made['options']['test_identities'] == ['ben']
  assert made['dropped_by_reason'] == {'N frames: no MP4': 2}
  assert made['dropped_files'] == [
    {'file': 'broken1.mp4', 'reason': '1 frames: no MP4'},
    {'file': 'broken2.mp4', 'reason': '2 frames: no MP4'},
  ]
  assert made['frames_left_out_by_reason'] == {'blurred': 8}
  assert (made['frames_read'], made['frames_scanned']) == (40, 20)
  train = made['splits']['train']
  assert (train['videos'], train['identities'], train['frames']) == (3, 2, 18)
  assert train['fewest_frames'] == {
    'video_id': 'anna/day1/a.mp4',
    'num_frames': 6,
  }
  assert all((folder / page).exists() for page in report.PAGES)
  assert not (tmp_path / 'data' / 'video_folder' / 'unfinished').exists()


def test_records_read_back(videos, tmp_path, fake):
  _build(_options(videos, test_identities=('ben',)), tmp_path / 'data')
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


def _contents(folder):
  return {
    path.name: path.read_bytes()
    for path in sorted(folder.iterdir())
    if path.suffix != '.json'
  }


@pytest.mark.parametrize('num_workers', [1, 2])
def test_an_interrupted_preparation_goes_on(
  videos, tmp_path, fake, monkeypatch, num_workers
):
  options = _options(videos)
  whole = _build(options, tmp_path / 'whole')
  fake.done.clear()
  monkeypatch.setattr(fake, 'fail_after', 3)
  with pytest.raises((KeyboardInterrupt, RuntimeError)):  # Beam may wrap it
    _build(options, tmp_path / 'data', num_workers=num_workers)
  assert pipeline.find_dataset('video_folder', tmp_path / 'data') is None
  finished = len(list((tmp_path / 'data').rglob('unfinished/*.json')))
  assert 1 <= finished <= 3
  first = list(fake.done)
  monkeypatch.setattr(fake, 'fail_after', None)
  fake.done.clear()
  seen = []
  folder = _build(options, tmp_path / 'data', seen, num_workers)
  assert len(fake.done) == 6 - finished and len(seen) == 6
  assert set(first) | set(fake.done) == {each.video_id for each in seen}
  assert _contents(folder) == _contents(whole)


def test_changed_work_is_done_again(videos, tmp_path, fake):
  def names(options):
    jobs = video_folder.list_jobs(options)
    return {shard.name for shard in shards.plan(jobs, options)}

  before = names(_options(videos))
  assert names(_options(videos)) == before
  assert not names(_options(videos, max_frames=5)) & before
  (videos / 'carl.mp4').write_bytes(b'xy')
  assert len(names(_options(videos)) & before) == 5


def test_shards_are_few_and_even(tmp_path):
  path = tmp_path / 'a.mp4'
  path.write_bytes(b'x')
  jobs = [builder.Job((str(path),), f'v{i}', 'p', 'train') for i in range(2500)]
  planned = shards.plan(jobs, _options(tmp_path))
  assert {len(shard.jobs) for shard in planned} <= {1, 2, 3}
  assert len(planned) <= 1024
  assert sum(len(shard.jobs) for shard in planned) == 2500
  assert shards.from_json(shards.to_json(planned[0])) == planned[0]


def test_two_at_once_are_refused(videos, tmp_path, fake):
  made = video_folder.VideoFolder(
    options=_options(videos), data_dir=tmp_path / 'data'
  )
  made.work_folder.mkdir(parents=True)
  with locked(made.work_folder):
    with pytest.raises(UserError, match='in use by another process'):
      _build(_options(videos), tmp_path / 'data')
  _build(_options(videos), tmp_path / 'data')


def test_prepared_records_stream_with_threads_and_workers(
  videos, tmp_path, fake
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


def test_nothing_usable_says_why_and_leaves_no_data_set(videos, tmp_path, fake):
  options = _options(videos, only=('broken1', 'carl'))
  options = dataclasses.replace(options, test_identities=('broken1',))
  with pytest.raises(UserError, match="nothing usable.*'test'.*1 x N frames"):
    _build(options, tmp_path / 'data')
  assert pipeline.find_dataset('video_folder', tmp_path / 'data') is None


def test_the_report_is_json(tmp_path):
  tally = report.new_tally()
  kept = Outcome('v', 'p', 'train', 5, files={'/s/v/2.mp4': 'is empty'})
  report.add(tally, kept, '/s')
  report.add(tally, Outcome('w', 'p', 'train', 0, 'only 3 frames'), '/s')
  made = report.summary(tally, 'd', {})
  report.write_report(tmp_path, made)
  assert report.read_report(tmp_path) == json.loads(json.dumps(made)) == made
  assert made['dropped_files'] == [
    {'file': 'v/2.mp4', 'reason': 'is empty'},
    {'file': 'w', 'reason': 'only 3 frames'},
  ]
