"""The file of results survives what happens to files; intervals are right."""

import json

import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.evaluation import results


def test_rows_are_found_again(tmp_path):
  row = {'fingerprint': 'a1', 'psnr': 20.5, 'nme': None}
  features = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
  arrays = {'inception': features}
  assert results.Store(tmp_path / 'new' / 'folder').add(row, arrays) == row
  store = results.Store(tmp_path / 'new' / 'folder')
  assert store.find('a1') == row
  assert store.find('a2') is None
  np.testing.assert_array_equal(store.arrays(row)['inception'], features)


def test_a_row_without_its_arrays_is_lost(tmp_path):
  store = results.Store(tmp_path)
  row = store.add({'fingerprint': 'a1'}, {'x': np.zeros(9)})
  (path,) = (tmp_path / 'arrays').iterdir()
  content = bytearray(path.read_bytes())
  content[60] ^= 255
  path.write_bytes(content)
  with pytest.raises(UserError, match='damaged .* delete it'):
    store.arrays(row)
  path.write_bytes(content[:50])  # torn
  assert store.find('a1') is None
  path.unlink()
  assert store.find('a1') is None


def test_arrays_are_never_unpickled(tmp_path):
  store = results.Store(tmp_path)
  row = store.add({'fingerprint': 'a1'}, {'x': np.array([{}], object)})
  with pytest.raises(UserError, match='damaged'):
    store.arrays(row)


def test_half_a_line_is_forgotten_and_the_next_is_whole(tmp_path):
  store = results.Store(tmp_path)
  store.add({'fingerprint': 'a', 'psnr': 1.0}, {})
  path = tmp_path / 'results.jsonl'
  with path.open('a') as file:
    file.write('{"fingerprint": "b", "ps')
  store = results.Store(tmp_path)
  assert store.find('b') is None
  store.add({'fingerprint': 'c', 'psnr': 3.0}, {})
  store.add({'fingerprint': 'd', 'psnr': 4.0}, {})
  again = results.Store(tmp_path)
  assert [bool(again.find(key)) for key in 'abcd'] == [True, False, True, True]


def test_foreign_lines_are_passed_over(tmp_path):
  (tmp_path / 'results.jsonl').write_text('[]\n{"psnr": 1}\n\n3\n')
  assert results.Store(tmp_path).find('a') is None


def test_nan_never_reaches_the_file(tmp_path):
  store = results.Store(tmp_path)
  with pytest.raises(ValueError):
    store.add({'fingerprint': 'a', 'psnr': float('nan')}, {})
  store.add({'fingerprint': 'b', 'psnr': 1.0}, {})
  lines = (tmp_path / 'results.jsonl').read_text().splitlines()
  assert [json.loads(line)['fingerprint'] for line in lines] == ['b']


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
  path = tmp_path / 'taken'
  path.write_text('hello')
  with pytest.raises(UserError, match='cannot be used as a folder'):
    results.Store(path)


def test_interval_covers_the_mean_and_agrees_with_the_normal_one():
  values = np.random.default_rng(0).normal(20, 3, 400)
  estimate = results.bootstrap_mean(values)
  assert estimate.low < estimate.mean < estimate.high
  np.testing.assert_allclose(estimate.mean, values.mean())
  half = 1.96 * values.std() / np.sqrt(400)
  np.testing.assert_allclose(estimate.high - estimate.mean, half, rtol=0.1)
  np.testing.assert_allclose(estimate.mean - estimate.low, half, rtol=0.1)


def test_interval_is_nearly_as_sure_as_it_says():
  # 60 people from a known law, 200 times over: the true mean is inside about
  # 95 % of the intervals (six standard errors are 9 %).
  rng = np.random.default_rng(1)
  hits = 0
  for i in range(200):
    estimate = results.bootstrap_mean(rng.normal(5, 2, 60), i, 500)
    hits += estimate.low <= 5 <= estimate.high
  assert 0.86 * 200 <= hits <= 200


def test_equal_values_have_an_interval_of_no_width():
  assert results.bootstrap_mean([7.0] * 5) == (7.0, 7.0, 7.0, 5)


def test_intervals_follow_their_seed():
  values = [1.0, 2.0, 5.0, 9.0]
  first = results.bootstrap_mean(values, 3, 100)
  assert first == results.bootstrap_mean(values, 3, 100)
  assert first != results.bootstrap_mean(values, 4, 100)


def test_missing_values_are_left_out():
  assert results.bootstrap_mean([None, 4.0, float('nan')]) == (
    4.0, None, None, 1,
  )  # fmt: skip
  assert results.bootstrap_mean([None, None]) == (None, None, None, 0)
  assert results.bootstrap_mean([1.0, None, 3.0]).count == 2


def test_mean_or_none():
  assert results.mean_or_none([1.0, float('nan'), 3.0]) == 2
  assert results.mean_or_none([float('nan')]) is None
