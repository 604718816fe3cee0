"""Batches: distinct frames, drawn anew, and a function of (seed, step) alone.

In these records the points of a frame are (number of the frame, number of the
video), so that a batch tells what it was made from.
"""

import itertools

import numpy as np
import pytest
import tensorflow_datasets as tfds

from flaxheads.data import pipeline, records
from flaxheads.errors import UserError
from tests.data import prepared

SIZE, NUM_VIDEOS, NUM_FRAMES = 16, 7, 9
K, BATCH = 3, 4


def _record(video, num_frames=NUM_FRAMES):
  shades = np.arange(num_frames, dtype=np.uint8) * 20 + video
  frames = shades[:, None, None, None] * np.ones((1, SIZE, SIZE, 3), np.uint8)
  points = np.zeros((num_frames, 68, 2))
  points[..., 0] = np.arange(num_frames)[:, None]
  points[..., 1] = video
  return records.make_record(
    frames,
    points,
    np.arange(num_frames) / 25,
    video_id=f'video{video}',
    identity_id=f'person{video}',
  )


@pytest.fixture(scope='module')
def source():
  return [_record(video) for video in range(NUM_VIDEOS)]


def _batches(source, count, **kwargs):
  wanted = {
    'num_support': K,
    'batch_size': BATCH,
    'image_size': SIZE,
    'seed': 0,
    **kwargs,
  }
  return list(
    itertools.islice(pipeline.sample_iterator(source, **wanted), count)
  )


def _assert_equal(first, second):
  assert len(first) == len(second)
  for one, other in zip(first, second, strict=True):
    for field, mine, theirs in zip(one._fields, one, other, strict=True):
      np.testing.assert_array_equal(mine, theirs, err_msg=field)
      assert mine.dtype == theirs.dtype


def _frame_numbers(batches):
  """[steps * B, K+1]."""
  return np.concatenate([batch.points[:, :, 0, 0] for batch in batches])


def test_shapes_and_types(source):
  (batch,) = _batches(source, 1)
  assert batch.frames.shape == (BATCH, K + 1, SIZE, SIZE, 3)
  assert batch.points.shape == (BATCH, K + 1, 68, 2)
  assert batch.video_index.shape == (BATCH,)
  dtypes = [batch.frames.dtype, batch.points.dtype, batch.video_index.dtype]
  assert dtypes == [np.uint8, np.float32, np.int32]


def test_images_points_and_video_index_belong_together(source):
  for batch in _batches(source, 6):
    videos = batch.points[..., 1]  # [B, K+1, 68]
    assert (videos == batch.video_index[:, None, None]).all()
    wanted = batch.points[:, :, 0, 0] * 20 + videos[:, :, 0]
    assert np.abs(batch.frames.mean((2, 3, 4)) - wanted).max() < 1.5


def test_mistake_02_target_is_not_a_support_frame(source):
  for numbers in _frame_numbers(_batches(source, 60)):
    assert len(set(numbers)) == K + 1, numbers


def test_every_frame_becomes_a_target(source):
  numbers = _frame_numbers(_batches(source, 120))
  assert set(numbers[:, K]) == set(range(NUM_FRAMES))


def test_mistake_03_height_and_width_are_not_swapped():
  # Bright at the right edge, and the points too: x is the column.
  frames = np.zeros((4, 64, 64, 3), np.uint8)
  frames[:, :16, 48:] = 255  # upper right
  points = np.zeros((4, 68, 2))
  points[..., 0], points[..., 1] = 56, 8
  record = records.make_record(
    frames, points, np.arange(4), video_id='v', identity_id='p'
  )
  (batch,) = _batches([record], 1, image_size=32, num_support=2)
  y, x = np.unravel_index(
    batch.frames[..., 0].reshape(-1, 32 * 32)[:, None].argmax(-1), (32, 32)
  )
  assert (x >= 24).all() and (y < 8).all()
  assert (batch.points == [28, 4]).all()
  at_point = batch.frames[:, :, 4, 28]  # row y, column x
  opposite = batch.frames[:, :, 28, 4]
  assert at_point.min() > 240 and opposite.max() < 15


def test_mistake_12_frames_are_drawn_anew_every_epoch(source):
  epochs = 12
  batches = _batches(source, epochs * NUM_VIDEOS, batch_size=1)
  numbers = _frame_numbers(batches)
  videos = np.concatenate([batch.video_index for batch in batches])
  for video in range(NUM_VIDEOS):
    drawn = [tuple(row) for row in numbers[videos == video]]
    assert len(drawn) == epochs
    assert len(set(drawn)) > epochs // 2  # of 9 * 8 * 7 * 6 ways


def test_every_epoch_is_a_permutation_and_not_the_same(source):
  batches = _batches(source, 5 * NUM_VIDEOS, batch_size=1)
  order = np.concatenate([batch.video_index for batch in batches])
  epochs = order.reshape(5, NUM_VIDEOS)
  for epoch in epochs:
    assert sorted(epoch) == list(range(NUM_VIDEOS))
  assert len({tuple(epoch) for epoch in epochs}) > 1


def test_seeds_differ_in_order_and_frames(source):
  def stream(seed):
    batches = _batches(source, 3 * NUM_VIDEOS, batch_size=1, seed=seed)
    order = np.concatenate([batch.video_index for batch in batches])
    return order, _frame_numbers(batches)

  (first, frames), (again, _), (other, others) = map(stream, (0, 0, 1))
  np.testing.assert_array_equal(first, again)
  assert (first != other).any() and (frames != others).any()
  # Epoch 1 of seed 0 is not epoch 0 of seed 1.
  assert (first[NUM_VIDEOS : 2 * NUM_VIDEOS] != other[:NUM_VIDEOS]).any()


@pytest.mark.parametrize('start', [1, 5, 1000])
def test_resume_continues_exactly(source, start):
  # 1000 lies epochs ahead; nothing before it need be drawn.
  if start > 10:
    before = _batches(source, 3, start_step=start - 2)[2:]
    _assert_equal(before, _batches(source, 1, start_step=start))
  else:
    whole = _batches(source, start + 3)
    _assert_equal(whole[start:], _batches(source, 3, start_step=start))


def test_number_of_workers_changes_nothing(source):
  alone = _batches(source, 6, start_step=2)
  _assert_equal(alone, _batches(source, 6, start_step=2, num_workers=2))


@pytest.mark.parametrize('num_shards', [2, 4])
def test_shards_concatenate_to_the_whole_batch(source, num_shards):
  whole = _batches(source, 4)
  parts = [
    _batches(source, 4, shard_index=index, num_shards=num_shards)
    for index in range(num_shards)
  ]
  joined = [
    pipeline.Batch(*map(np.concatenate, zip(*step, strict=True)))
    for step in zip(*parts, strict=True)
  ]
  _assert_equal(whole, joined)


def test_mistakes_of_the_user_are_named(source):
  with pytest.raises(UserError, match='batch_size: 4 is not a multiple of 3'):
    _batches(source, 1, num_shards=3)
  with pytest.raises(UserError, match='num_support: 0 is too small'):
    _batches(source, 1, num_support=0)
  with pytest.raises(UserError, match='empty'):
    _batches([], 1)
  short = [_record(0), _record(1, num_frames=K)]
  with pytest.raises(UserError, match='video1: has 3 frames.*num_support=3'):
    _batches(short, 2)


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  """Two prepared datasets of three and two videos; one has people to test."""
  folder = tmp_path_factory.mktemp('data')
  videos = [prepared.make_record(video) for video in range(3)]
  prepared.write(folder, 'clips', {'train': videos, 'test': videos[:1]})
  prepared.write(folder, 'heads', {'train': videos[1:]})
  return folder


def test_prepared_data_sets_are_mixed(data_dir):
  source = pipeline.make_source('clips:0.25,heads:0.75', data_dir, 'train')
  assert len(source) == 5
  names = [records.text(source[index]['video_id']) for index in range(5)]
  assert sorted(names[:3]) == ['video0', 'video1', 'video2']
  assert sorted(names[3:]) == ['video1', 'video2']
  batches = _batches(source, 6, num_support=2, batch_size=4)
  for batch in batches:
    assert (batch.video_index >= 3).sum() == 3  # in every batch of this size
    for index, points in zip(batch.video_index, batch.points, strict=True):
      assert names[index] == f'video{points[0, 0, 1]:.0f}'
  workers = _batches(source, 6, num_support=2, batch_size=4, num_workers=2)
  _assert_equal(batches, workers)


def test_a_part_of_a_mixture_that_is_missing_is_named(data_dir):
  with pytest.raises(UserError) as caught:
    pipeline.make_source('clips:1,voxceleb2:1', data_dir, 'train')
  assert str(caught.value) == (
    f"{data_dir}: holds no dataset 'voxceleb2', only clips, heads; make it"
    ' with python -m launch.prepare --dataset=voxceleb2 --source=VIDEOS'
    f' --data_dir={data_dir}'
  )
  with pytest.raises(UserError, match="heads/1.0.0: no split 'test'; it has"):
    pipeline.make_source('clips:1,heads:1', data_dir, 'test')


def test_fingerprints_tell_data_sets_apart(data_dir):
  def facts(dataset, split='train'):
    return pipeline.describe_source(
      pipeline.make_source(dataset, data_dir, split)
    )

  clips, heads = facts('clips'), facts('heads')
  assert facts('clips') == clips != heads
  assert facts('clips', 'test') != clips
  assert facts('clips:1,heads:1') == {
    'num_videos': 5,
    'fingerprint': f'{clips["fingerprint"]}+{heads["fingerprint"]}',
  }


def test_a_data_set_is_opened_once(data_dir, monkeypatch):
  opened = []
  real = tfds.builder_from_directory
  monkeypatch.setattr(
    tfds,
    'builder_from_directory',
    lambda folder: opened.append(folder) or real(folder),
  )
  source = pipeline.make_source('clips', data_dir, 'train')
  assert source[2]['num_frames'] == 4
  assert pipeline.describe_source(source)['num_videos'] == 3
  assert len(opened) == 1


def test_a_data_set_that_is_not_there_says_how_to_make_it(tmp_path):
  command = '--dataset=video_folder --source=VIDEOS --data_dir='
  with pytest.raises(UserError, match=f'launch.prepare {command}{tmp_path}'):
    pipeline.make_source('video_folder', tmp_path, 'train')
  with pytest.raises(UserError, match='--dataset=synthetic_heads --data_dir='):
    pipeline.make_source('synthetic_heads', tmp_path, 'train')
  (tmp_path / 'video_folder' / '1.0.0').mkdir(parents=True)  # half written
  with pytest.raises(UserError, match='holds no dataset'):
    pipeline.make_source('video_folder', tmp_path, 'train')
