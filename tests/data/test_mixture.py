"""Mixtures: exact shares, own epochs, one row for each video of all parts.

In these records the points of a frame are (number of the frame, number of the
video in its dataset), so that a sample tells what it was made from.
"""

import collections
import fractions
import itertools

import numpy as np
import pytest

from flaxheads.data import mixture, pipeline, records
from flaxheads.errors import UserError

SIZE, K, BATCH = 16, 2, 4
NUM_VIDEOS = {'a': 5, 'b': 3, 'c': 2}
WEIGHTS = {'a': 7, 'b': 3, 'c': 1}


def _record(name, video):
  frames = np.full((4, SIZE, SIZE, 3), 20 * video, np.uint8)
  points = np.zeros((4, 68, 2))
  points[..., 0] = np.arange(4)[:, None]
  points[..., 1] = video
  return records.make_record(
    frames,
    points,
    np.arange(4) / 25,
    video_id=f'{name}/{video}',
    identity_id=name,
  )


RECORDS = {
  name: [_record(name, video) for video in range(count)]
  for name, count in NUM_VIDEOS.items()
}


def _mixture(**weights):
  parts = [mixture.Part(RECORDS[name], w) for name, w in weights.items()]
  return mixture.Mixture(parts)


@pytest.fixture(scope='module')
def mixed():
  return _mixture(**WEIGHTS)


def _batches(source, count, **kwargs):
  wanted = {
    'num_support': K,
    'batch_size': BATCH,
    'image_size': SIZE,
    'seed': 0,
    **kwargs,
  }
  found = pipeline.sample_iterator(source, **wanted)
  return list(itertools.islice(found, count))


def _indices(batches):
  return np.concatenate([batch.video_index for batch in batches])


def _equal(first, second):
  for one, other in zip(first, second, strict=True):
    for mine, theirs in zip(one, other, strict=True):
      np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
  'text, weights',
  [
    ('voxceleb2', {'voxceleb2': 1}),
    ('a:0.8,b:0.2', {'a': 4, 'b': 1}),
    ('a:80, b:20', {'a': 4, 'b': 1}),
    ('b:0.7,a:0.3', {'b': 7, 'a': 3}),
    ('a:1,b:0.333333', {'a': 1_000_000, 'b': 333_333}),
    ('a:0.5', {'a': 1}),
  ],
)
def test_weights_become_the_smallest_whole_numbers(text, weights):
  parsed = mixture.parse_mixture(text)
  assert parsed == weights
  assert list(parsed) == list(weights)  # rows of W lie in this order


@pytest.mark.parametrize(
  'text, said',
  [
    ('', "'' is not a dataset name"),
    ('a:1,', "'' is not a dataset name"),
    ('../a', "'../a' is not a dataset name"),
    ('a b', "'a b' is not a dataset name"),
    ('a:1,b', 'b has no weight'),
    ('a,b', 'a has no weight'),
    ('a:,b:1', 'a has no weight'),
    ('a:1,a:2', 'a is given twice'),
    ('a:0,b:1', "the weight of a, '0', is not a number above 0"),
    ('a:-1,b:1', "the weight of a, '-1', is not a number above 0"),
    ('a:nan,b:1', "'nan', is not a number"),
    ('a:1e400,b:1', "'1e400', is not a number"),
    ('a:1:2,b:1', "'1:2', is not a number"),
  ],
)
def test_misuse_is_one_line(text, said):
  with pytest.raises(UserError) as caught:
    mixture.parse_mixture(text)
  message = str(caught.value)
  assert message.startswith(f'dataset={text!r}: ')
  assert said in message and 'voxceleb2:0.8' in message
  assert '\n' not in message


@pytest.mark.parametrize('weights', [(1,), (4, 1), (1, 4), (7, 3, 1), (2, 2)])
def test_turns_are_exact_and_each_part_counts_its_own(weights):
  turns = mixture.Interleaving(weights, 10**9)
  total, counts = sum(weights), collections.Counter()
  for position in range(5 * total):
    part, before = turns[position]
    assert before == counts[part]  # the next of its own, none left out
    counts[part] += 1
    for each, weight in enumerate(weights):
      share = fractions.Fraction(weight * (position + 1), total)
      assert abs(counts[each] - share) < len(weights)
  assert [counts[i] for i in range(len(weights))] == [5 * w for w in weights]
  # Far ahead without a walk there, the same.
  far = 10**8 * total
  assert turns[far] == (turns[0][0], 10**8 * weights[turns[0][0]])


def test_records_lie_one_part_after_the_other(mixed):
  assert len(mixed) == 10
  ids = [records.text(record['video_id']) for record in mixed]
  assert ids == ['a/0', 'a/1', 'a/2', 'a/3', 'a/4', 'b/0', 'b/1', 'b/2'] + [
    'c/0',
    'c/1',
  ]
  with pytest.raises(IndexError):
    mixed[10]


def test_every_video_has_a_row_of_its_own(mixed):
  batches = _batches(mixed, 60)
  assert set(_indices(batches)) == set(range(10))
  first = dict(zip('abc', mixed.offsets, strict=True))
  for batch in batches:
    for index, points in zip(batch.video_index, batch.points, strict=True):
      name = records.text(mixed[index]['identity_id'])
      assert (points[..., 1] == index - first[name]).all()


def test_each_part_is_shuffled_anew_in_its_own_epochs(mixed):
  cycles = 30  # 210, 90 and 30 samples: 42, 30 and 15 epochs
  indices = _indices(_batches(mixed, 11 * cycles, batch_size=1))
  for name, start in zip(NUM_VIDEOS, mixed.offsets, strict=True):
    count = NUM_VIDEOS[name]
    own = indices[(indices >= start) & (indices < start + count)] - start
    assert len(own) == cycles * WEIGHTS[name]
    epochs = own.reshape(-1, count)
    assert (np.sort(epochs, 1) == np.arange(count)).all()
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_parts_of_one_length_have_orders_of_their_own():
  source = mixture.Mixture([mixture.Part(RECORDS['a']) for _ in range(2)])
  indices = _indices(_batches(source, 20, batch_size=2)).reshape(20, 2)
  assert (indices[:, 0] != indices[:, 1] - 5).any()


def test_a_mixture_of_one_is_the_data_set_itself():
  alone = _batches(RECORDS['a'], 10)
  _equal(alone, _batches(_mixture(a=3), 10))


def test_neither_workers_nor_shards_nor_a_stop_change_anything(mixed):
  whole = _batches(mixed, 9)
  _equal(whole, _batches(mixed, 9, num_workers=2))
  _equal(whole[4:], _batches(mixed, 5, start_step=4))
  parts = [
    _batches(mixed, 9, shard_index=index, num_shards=2) for index in (0, 1)
  ]
  joined = [
    pipeline.Batch(*map(np.concatenate, zip(*step, strict=True)))
    for step in zip(*parts, strict=True)
  ]
  _equal(whole, joined)


def test_another_order_is_another_run():
  first = _indices(_batches(_mixture(a=1, b=1), 5))
  second = _indices(_batches(_mixture(b=1, a=1), 5))
  assert (first != second).any()


def test_an_empty_part_or_one_with_too_few_frames_is_refused():
  empty = mixture.Mixture([mixture.Part(RECORDS['a']), mixture.Part([])])
  with pytest.raises(UserError, match='the dataset: is empty'):
    _batches(empty, 1)
  with pytest.raises(UserError, match='has 4 frames.*num_support=4 needs 5'):
    _batches(_mixture(a=1, b=1), 2, num_support=4)


class _Source(list):
  folder = 'data/some'

  def fingerprint(self):
    return str(len(self))

  def fewest_frames(self):
    return 'b/1', 4


def test_a_short_video_of_any_part_is_known_before_it_is_drawn():
  parts = [mixture.Part(RECORDS['a']), mixture.Part(_Source(RECORDS['b']))]
  with pytest.raises(UserError, match='b/1: has 4 frames'):
    pipeline.sample_iterator(
      mixture.Mixture(parts),
      num_support=4,
      batch_size=1,
      image_size=SIZE,
      seed=0,
    )


def test_a_run_knows_the_records_of_all_parts():
  parts = [mixture.Part(_Source(RECORDS[name])) for name in 'ab']
  facts = pipeline.describe_source(mixture.Mixture(parts))
  assert facts == {'num_videos': 8, 'fingerprint': '5+3'}
  alone = pipeline.describe_source(mixture.Mixture(parts[:1]))
  assert alone == {'num_videos': 5, 'fingerprint': '5'}
