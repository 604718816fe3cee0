"""Statistics over people, and distances of sets of images."""

import numpy as np
import pytest

from flaxheads.evaluation import results, summary
from flaxheads.metrics import fid, kid

D = 6


def _row(person, num_shots, method, **values):
  return {
    'person': person,
    'num_shots': num_shots,
    'method': method,
    **values,
  }


def test_summary_is_over_people():
  rows = [
    _row(name, 1, 'ft', psnr=psnr, nme=None)
    for name, psnr in zip('abcd', (10, 20, 30, 40), strict=True)
  ]
  (entry,) = summary.summarise(rows)
  assert entry['psnr']['mean'] == 25
  assert 10 <= entry['psnr']['low'] < 25 < entry['psnr']['high'] <= 40
  assert entry['psnr']['count'] == 4
  assert entry['nme'] == {'mean': None, 'low': None, 'high': None, 'count': 0}
  assert 'ssim' not in entry


def test_methods_are_compared_on_the_same_draws_of_people():
  # A method that is always 1 dB better has an interval shifted by 1 dB.
  rows = []
  for name, psnr in zip('abcde', (11, 25, 23, 36, 9), strict=True):
    rows.append(_row(name, 1, 'a', psnr=psnr))
    rows.append(_row(name, 1, 'b', psnr=psnr + 1))
  a, b = (entry['psnr'] for entry in summary.summarise(rows))
  for end in ('low', 'mean', 'high'):
    np.testing.assert_allclose(b[end], a[end] + 1)


@pytest.fixture(scope='module')
def pooled():
  """Rows of three people, and their features by (person, method)."""
  rng = np.random.default_rng(0)
  features = {
    (name, method): rng.normal(size=(count, D)) + (method == 'ff')
    for name, count in zip('abc', (4, 5, 3), strict=True)
    for method in ('real', 'ff', 'warp')
  }
  rows = [_row(*key[:1], 8 * (key[1] != 'real'), key[1]) for key in features]
  return rows, features


def _arrays(features, name='inception'):
  return lambda row: {name: features[row['person'], row['method']], 'frames': 0}


def test_distances_are_of_all_peoples_frames(pooled):
  rows, features = pooled
  made = summary.summarise(rows, arrays=_arrays(features))
  by_method = {entry['method']: entry for entry in made}
  assert 'fid' not in by_method['real']
  for method in ('ff', 'warp'):
    drawn, real = (
      np.concatenate([features[name, m] for name in 'abc'])
      for m in (method, 'real')
    )
    entry = by_method[method]
    wanted = fid.frechet_distance(*map(fid.feature_statistics, (drawn, real)))
    np.testing.assert_allclose(entry['fid']['mean'], wanted.value)
    assert entry['fid']['small_sample'] is wanted.small_sample is False
    assert entry['fid']['low'] is None and entry['fid']['count'] == 3
    value = kid.kernel_distance(drawn, real)
    np.testing.assert_allclose(entry['kid']['mean'], value)
    assert entry['kid']['low'] < value < entry['kid']['high']
  assert by_method['ff']['kid']['mean'] > by_method['warp']['kid']['mean']


def test_a_small_sample_is_marked(pooled):
  rows, features = pooled
  rows = [row for row in rows if row['person'] == 'a']  # 4 frames, 6 dimensions
  entry = summary.summarise(rows, arrays=_arrays(features))[1]
  assert entry['fid']['small_sample'] is True
  assert entry['kid']['low'] is None  # one person
  assert entry['kid']['count'] == 1


def test_marks_of_features_become_marks_of_distances(pooled):
  rows, features = pooled
  arrays = _arrays(features, 'inception_random_weights')
  entry = summary.summarise(rows, arrays=arrays)[1]
  assert {'fid_random_weights', 'kid_random_weights'} <= set(entry)
  assert not {'fid', 'kid'} & set(entry)


def test_interval_of_the_kid_covers_its_resamples(pooled):
  rows, features = pooled
  entry = summary.summarise(rows, seed=3, arrays=_arrays(features))[1]
  drawn, real = ([features[n, m] for n in 'abc'] for m in ('ff', 'real'))
  people = results.draw_people(3, seed=3)
  counts = np.stack([np.bincount(p, minlength=3) for p in people])
  values = kid.resampled_kernel_distance(kid.kernel_sums(drawn, real), counts)
  inside = (entry['kid']['low'] <= values) & (values <= entry['kid']['high'])
  assert inside.mean() >= 0.95
  assert {entry['kid']['low'], entry['kid']['high']} <= set(values.tolist())


def test_user_scores_are_means_over_people():
  rows = [_row(name, 8, 'ff', ssim=0.5) for name in 'abc']
  scores = {(8, 'ff'): {'a': 0.25, 'b': 0.75}}
  (entry,) = summary.summarise(rows, user_scores=scores)
  assert entry['user']['mean'] == 0.5 and entry['user']['count'] == 2
  assert list(entry) == ['num_shots', 'method', 'ssim', 'user']
  (without,) = summary.summarise(rows)
  assert 'user' not in without
