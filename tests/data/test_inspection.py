"""What is told of a prepared dataset is what it holds."""

import json

import numpy as np
import pytest

from flaxheads.data import inspection, inspection_page, pipeline, records
from tests.data import prepared
from tests.launch.commands import call

SIZE = 32


def _face(video, num_frames, outside=0):
  """A record with a face 20 pixels high, here and there beyond the edge."""
  record = prepared.make_record(video, num_frames, SIZE, f'person{video // 2}')
  points = np.zeros((num_frames, 68, 2), np.float32)
  points[..., 0] = np.linspace(8, 18, 68)
  points[..., 1] = np.linspace(6, 26, 68)
  points[:outside] += 10
  return {**record, 'points': points}


@pytest.fixture
def data_dir(tmp_path):
  """Three people with five videos to train, one of them also to test."""
  train = [_face(video, 3 + video) for video in range(5)]
  test = [_face(5, 4, outside=2)]
  prepared.write(tmp_path, 'video_folder', {'test': test, 'train': train})
  return tmp_path


def _inspect(data_dir, *more):
  return call(
    'prepare',
    '--inspect',
    '--dataset=video_folder',
    f'--data_dir={data_dir}',
    *more,
  )


def test_counts_are_those_of_the_records(data_dir):
  done = _inspect(data_dir)
  assert done.code == 0, done.err
  folder = data_dir / 'video_folder' / '1.0.0'
  facts = json.loads((folder / 'inspection.html.report.json').read_text())
  assert list(facts['splits']) == ['train', 'test']
  train, test = facts['splits'].values()
  assert (train['videos'], train['identities'], train['frames']) == (5, 3, 25)
  assert (test['videos'], test['identities'], test['frames']) == (1, 1, 4)
  assert train['videos_by_image_size'] == {str(SIZE): 5}
  assert train['frames_with_points_outside'] == 0
  assert test['frames_with_points_outside'] == 2
  assert facts['identities_in_several_splits'] == ['person2']
  found = train['distributions']
  assert found['face_size']['50%'] == pytest.approx(100 * 20 / SIZE)
  assert list(found['frames_per_video'].values())[::3] == [3, 5, 7]
  assert 'train: 3 people, 5 videos, 25 frames of 32² pixels' in done.out
  assert '1 people are in several splits: person2' in done.out
  page = (folder / 'inspection.html').read_text()
  assert page.count('<figure>') == 5 + 1
  assert '<span>3 people, 5 videos, 25 frames</span>' in page
  # Both splits have samples, and no file of the dataset was touched.
  assert pipeline.make_source('video_folder', data_dir, 'train')[4]


def test_the_page_goes_where_it_is_wanted(data_dir, tmp_path):
  output = tmp_path / 'page.html'
  done = _inspect(data_dir, f'--output={output}')
  assert done.code == 0, done.err
  assert output.is_file() and (tmp_path / 'page.html.report.json').is_file()


@pytest.mark.parametrize(
  'arguments, said',
  [
    (['--output=page.jpg'], '--output=page.jpg: not an HTML file'),
    (['--output=nowhere/page.html'], 'its folder does not exist'),
    (['--data_dir=nowhere'], "nowhere: holds no dataset 'video_folder'"),
    (['--noinspect', '--output=x.png'], '--output: only with --inspect'),
  ],
)
def test_misuse_is_one_line(data_dir, arguments, said):
  done = _inspect(data_dir, *arguments)
  assert (done.code, done.out) == (2, '')
  (line,) = done.err.splitlines()
  assert said in line


def _damage(data_dir, change):
  train = [_face(video, 4) for video in range(3)]
  change(train[1])
  prepared.write(data_dir, 'video_folder', {'train': train})


@pytest.mark.parametrize(
  'change, said',
  [
    ({'num_frames': 9}, 'video1: has 4 frames instead of 9'),
    ({'num_frames': 0}, 'video1: has 4 frames instead of 0'),
    ({'points': np.zeros((3, 68, 2), np.float32)}, 'points of shape (3, 68'),
    ({'points': np.full((4, 68, 2), np.nan, np.float32)}, 'not finite'),
    ({'image_size': 10**9}, 'frames of 1000000000 pixels'),
    ({'frames': [b'no picture'] * 4}, 'not a JPEG'),
  ],
)
def test_a_damaged_record_is_one_line(tmp_path, change, said):
  _damage(tmp_path, lambda record: record.update(change))
  done = _inspect(tmp_path)
  assert (done.code, done.out) == (2, '')
  message = done.err.splitlines()[-1]  # there may be a bar before it
  assert said in message and 'prepare the dataset again' in message
  folder = tmp_path / 'video_folder' / '1.0.0'
  assert not list(folder.glob('*inspection*'))


def _overwrite(path):
  content = bytearray(path.read_bytes())
  content[:4096] = bytes(4096)
  path.write_bytes(content)


@pytest.mark.parametrize(
  'name, spoil',
  [
    ('*array_record*', _overwrite),
    ('*array_record*', lambda path: path.write_bytes(b'')),
    ('*array_record*', lambda path: path.unlink()),
    ('dataset_info.json', lambda path: path.write_text('{')),
    ('dataset_info.json', lambda path: path.write_bytes(b'\xff')),
    ('features.json', lambda path: path.write_text('[]')),
  ],
)
def test_a_damaged_file_is_one_line(tmp_path, name, spoil):
  _damage(tmp_path, lambda record: None)
  folder = tmp_path / 'video_folder' / '1.0.0'
  spoil(next(folder.glob(name)))
  done = _inspect(tmp_path)
  assert (done.code, done.out) == (2, '')
  message = done.err.splitlines()[-1]
  assert str(folder) in message and 'prepare the dataset again' in message


def test_a_face_without_a_pose_is_left_out_of_the_quantiles():
  record = _face(0, 4)
  record['points'][:] = 5
  source = [record]

  class Source(list):
    split = 'train'

  split = inspection.inspect_split(Source(source), num_samples=1, shown=16)
  assert np.isnan(split.values['yaw']).all()
  facts = inspection.summary('x', [split])
  assert facts['splits']['train']['distributions']['yaw'] is None
  assert 'yaw' in inspection.table(facts)
  assert 'a&lt;b' in inspection_page.make_page('a<b', [split])


def test_distributions_are_shares_over_common_bins(data_dir):
  sources = pipeline.open_splits('video_folder', data_dir)
  splits = [
    inspection.inspect_split(source, num_samples=1, shown=16)
    for source in sources
  ]
  axes = inspection_page.plot_distributions(splits).axes
  for ax, name in zip(axes, inspection.MEASURES, strict=True):
    one, two = (patch.get_data() for patch in ax.patches)
    np.testing.assert_array_equal(one.edges, two.edges)
    for split, shown in zip(splits, (one, two), strict=True):
      assert shown.values.sum() == pytest.approx(1)
      values = split.values[name]
      inside = (values >= shown.edges[-2]).mean()
      assert shown.values[-1] == pytest.approx(inside)


def test_landmarks_are_drawn_where_they_are():
  frame = np.zeros((64, 64, 3), np.uint8)
  points = np.full((68, 2), -50.0)  # all others outside
  points[:17, 0], points[:17, 1] = np.linspace(8, 56, 17), 20.5
  drawn = inspection_page.draw_over(frame, points)
  assert not frame.any()
  rows, columns = np.nonzero(drawn[..., 1] > 128)
  assert set(rows) == {20} and columns.min() <= 8 and columns.max() >= 55
  far = np.full((68, 2), 1e9)
  assert not inspection_page.draw_over(frame, far).any()


def test_samples_run_from_left_to_right(data_dir):
  (train, _) = pipeline.open_splits('video_folder', data_dir)
  split = inspection.inspect_split(train, num_samples=3, shown=16)
  assert len(split.samples) == 3
  yaws = [sample.yaw for sample in split.samples]
  assert yaws == sorted(yaws)
  again = inspection.inspect_split(train, num_samples=3, shown=16)
  for one, other in zip(split.samples, again.samples, strict=True):
    assert one.video_id == other.video_id
    np.testing.assert_array_equal(one.frame, other.frame)
  assert records.spread(5, 3).tolist() == [0, 2, 4]
