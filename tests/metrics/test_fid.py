"""FID and KID against scipy, brute force, and code made wrong on purpose."""

import itertools

import numpy as np
import pytest
from scipy import linalg

from flaxheads.errors import UserError
from flaxheads.metrics import fid, kid, statistics

D = 12


def _features(count, seed=0, dimensions=D):
  """Correlated, far from zero, of very different sizes: as real ones are."""
  rng = np.random.default_rng(seed)
  mix = rng.normal(size=(dimensions, dimensions))
  mix *= np.logspace(0, -2, dimensions)
  return rng.normal(size=(count, dimensions)) @ mix + 5 * rng.uniform(size=1)


def _distance(a, b):
  stats = statistics.feature_statistics
  return fid.frechet_distance(stats(a), stats(b))


def _by_scipy(a, b):
  """The formula as it is written, by scipy's matrix square root."""
  c1, c2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
  root = linalg.sqrtm(c1 @ c2)
  return np.square(a.mean(0) - b.mean(0)).sum() + np.trace(c1 + c2 - 2 * root)


@pytest.fixture
def sets():
  return _features(90, 1), _features(70, 2)


def test_it_is_the_formula(sets):
  found = _distance(*sets)
  assert found.value == pytest.approx(np.real(_by_scipy(*sets)), rel=1e-9)
  assert not found.small_sample


@pytest.mark.parametrize('seed', range(5))
def test_trace_of_the_root_is_that_of_sqrtm(seed):
  rng = np.random.default_rng(seed)
  first, second = rng.normal(size=(2, D, 3 * D))
  first, second = first @ first.T, second @ second.T
  wanted = np.trace(linalg.sqrtm(first @ second)).real
  assert fid.trace_of_root(first, second) == pytest.approx(wanted, rel=1e-9)


def test_singular_covariances_need_no_offset():
  # Both sets lie in the same 4 of 12 dimensions, where the distance is known.
  basis = np.linalg.qr(np.random.default_rng(3).normal(size=(D, 4)))[0]
  a, b = _features(50, 1, 4), _features(60, 2, 4)
  inside = _distance(a @ basis.T, b @ basis.T)
  assert inside.value == pytest.approx(np.real(_by_scipy(a, b)), rel=1e-9)
  # scipy's root of the same singular product is less exact by far, or fails.
  assert np.isfinite(inside.value)


def test_known_distances():
  a = _features(200, 1)
  assert _distance(a, a).value == pytest.approx(0, abs=1e-9)
  assert _distance(a, a + 2).value == pytest.approx(4 * D, rel=1e-9)
  # Twice as wide about the same mean: tr (C + 4 C - 4 C).
  wide = a.mean(0) + 2 * (a - a.mean(0))
  trace = np.trace(np.cov(a, rowvar=False))
  assert _distance(a, wide).value == pytest.approx(trace, rel=1e-9)
  constant = np.ones((5, D))
  assert _distance(constant, constant + 1).value == pytest.approx(D)


@pytest.mark.parametrize(
  'count, small', [(D - 1, True), (D, True), (D + 1, False)]
)
def test_a_sample_too_small_for_its_covariance_is_marked(count, small):
  few, many = _features(count, 1), _features(100, 2)
  # N vectors span N - 1 dimensions.
  rank = np.linalg.matrix_rank(np.cov(few, rowvar=False), tol=1e-12)
  assert (rank < D) == small
  assert _distance(few, many).small_sample == small
  assert _distance(many, few).small_sample == small


@pytest.mark.parametrize(
  'sizes', [(90,), (1,) * 90, (50, 40), (7,) * 12 + (6,)]
)
def test_batches_do_not_matter(sets, sizes):
  a = sets[0]
  parts = np.split(a, np.cumsum(sizes)[:-1])
  merged = statistics.feature_statistics(parts[0])
  for part in parts[1:]:
    merged = merged.merge(statistics.feature_statistics(part))
  assert merged.count == 90
  np.testing.assert_allclose(merged.mean, a.mean(0), rtol=1e-12)
  wanted = np.cov(a, rowvar=False)
  np.testing.assert_allclose(merged.covariance, wanted, rtol=1e-9, atol=1e-12)


def test_statistics_are_float64_and_lose_nothing():
  # Features far from zero: sums of squares in float32 would keep no variance.
  a = (_features(64, 1) * 1e-3 + 1000).astype(np.float32)
  found = statistics.feature_statistics(a[:1])
  for row in a[1:]:
    found = found.merge(statistics.feature_statistics(row[None]))
  assert found.mean.dtype == found.scatter.dtype == np.float64
  wanted = np.cov(a.astype(np.float64), rowvar=False)
  np.testing.assert_allclose(found.covariance, wanted, rtol=1e-6, atol=1e-12)


def test_wrong_covariances_would_be_seen(sets):
  """What a biased, uncentred or float16 covariance gives is another number."""
  a, b = sets
  right = _distance(a, b).value

  def with_covariance(compute):
    made = []
    for x in (a, b):
      scatter = compute(x) * (len(x) - 1)
      made.append(statistics.FeatureStatistics(len(x), x.mean(0), scatter))
    return fid.frechet_distance(*made).value

  biased = with_covariance(lambda x: np.cov(x, rowvar=False, bias=True))
  uncentred = with_covariance(lambda x: x.T @ x / len(x))
  diagonal = with_covariance(lambda x: np.diag(x.var(0)))
  for wrong in (biased, uncentred, diagonal):
    assert abs(wrong / right - 1) > 1e-3
  plain = with_covariance(lambda x: np.cov(x, rowvar=False))
  assert plain == pytest.approx(right, rel=1e-12)


@pytest.mark.parametrize(
  'features, message',
  [
    (np.zeros((3, 4, 2)), r'\[N, D\] is needed'),
    (np.zeros((0, 4)), r'\[N, D\] is needed'),
    (np.full((3, 4), np.nan), 'not finite'),
  ],
)
def test_features_are_checked(features, message):
  with pytest.raises(UserError, match=message):
    statistics.feature_statistics(features)
  with pytest.raises(UserError, match=message):
    kid.kernel_distance(features, np.zeros((3, 4)))


def test_sets_that_can_not_be_compared_are_refused(sets):
  with pytest.raises(UserError, match='12 and 5 dimensions cannot be comp'):
    _distance(sets[0], np.zeros((9, 5)))
  with pytest.raises(UserError, match='12 and 5 dimensions cannot be put'):
    statistics.feature_statistics(sets[0]).merge(
      statistics.feature_statistics(np.zeros((9, 5)))
    )
  with pytest.raises(UserError, match='a covariance needs at least 2'):
    _distance(sets[0], sets[1][:1])
  with pytest.raises(UserError, match='at least 2 vectors'):
    kid.kernel_distance(sets[0], sets[1][:1])


def _mmd(a, b):
  """The unbiased estimate, pair by pair."""

  def kernel(x, y):
    return (x @ y / len(x) + 1) ** 3

  def mean(pairs):
    return np.mean([kernel(x, y) for x, y in pairs])

  def without_self(x):
    return mean(itertools.permutations(x, 2))

  across = mean([(x, y) for x in a for y in b])
  return without_self(a) + without_self(b) - 2 * across


def test_kid_is_the_unbiased_mmd():
  a, b = _features(9, 1), _features(7, 2)
  assert kid.kernel_distance(a, b) == pytest.approx(_mmd(a, b), rel=1e-9)


def test_kid_takes_many_rows_in_blocks(monkeypatch):
  a, b = _features(33, 1), _features(21, 2)
  whole = kid.kernel_distance(a, b)
  monkeypatch.setattr(kid, '_ROWS', 4)
  assert kid.kernel_distance(a, b) == pytest.approx(whole, rel=1e-12)


def test_kid_is_unbiased_where_fid_is_not():
  """Two samples of one distribution: KID is zero on average, FID is not."""
  rng = np.random.default_rng(0)
  kids, biased, fids = [], [], []
  for _ in range(300):
    a, b = rng.normal(size=(2, 15, 4))
    kids.append(kid.kernel_distance(a, b))
    fids.append(_distance(a, b).value)
    # With the diagonal left in, as a biased estimate has it.
    k = [((x @ y.T) / 4 + 1) ** 3 for x, y in ((a, a), (b, b), (a, b))]
    biased.append(k[0].mean() + k[1].mean() - 2 * k[2].mean())
  error = np.std(kids) / np.sqrt(len(kids))
  assert abs(np.mean(kids)) < 3 * error
  assert np.mean(biased) > 10 * error
  assert np.mean(fids) > 0.3


def test_few_features_need_no_covariance():
  a, b = _features(7, 1, 30), _features(9, 2, 30)
  found = fid.feature_distance(a, b)
  assert found.value == pytest.approx(_distance(a, b).value, rel=1e-9)
  assert found.small_sample
  # Enough of them, and it is the same formula.
  c, d = _features(90, 1), _features(70, 2)
  assert fid.feature_distance(c, d) == _distance(c, d)
  for other in (a[:1], _features(9, 2, 29)):
    with pytest.raises(UserError):
      fid.feature_distance(a, other)


def test_kernel_sums_of_groups_are_the_kid_of_all():
  rng = np.random.default_rng(0)
  sizes = (3, 1, 4)
  a = [rng.normal(size=(n, D)) for n in sizes]
  b = [rng.normal(size=(n, D)) + 1 for n in (2, 5, 1)]
  sums = kid.kernel_sums(a, b)
  everybody = kid.resampled_kernel_distance(sums, np.ones((1, 3)))
  wanted = kid.kernel_distance(np.concatenate(a), np.concatenate(b))
  np.testing.assert_allclose(everybody, [wanted], rtol=1e-12)
  # Without the second group it is the KID of the others.
  without = kid.resampled_kernel_distance(sums, [[1, 0, 1]])
  wanted = kid.kernel_distance(
    np.concatenate([a[0], a[2]]), np.concatenate([b[0], b[2]])
  )
  np.testing.assert_allclose(without, [wanted], rtol=1e-12)


def test_an_image_that_is_drawn_twice_is_not_compared_with_itself():
  rng = np.random.default_rng(1)
  a, b = ([rng.normal(size=(n, D)) for n in (3, 2)] for _ in range(2))
  found = kid.resampled_kernel_distance(kid.kernel_sums(a, b), [[2, 1]])

  def within(groups):
    drawn = [(i, x) for i, x in enumerate(np.concatenate(groups))]
    drawn += drawn[:3]
    pairs = [
      (x @ y / D + 1) ** 3
      for (i, x), (j, y) in itertools.product(drawn, drawn)
      if i != j
    ]
    return np.mean(pairs)

  drawn = [np.concatenate([*groups, groups[0]]) for groups in (a, b)]
  between = np.mean((drawn[0] @ drawn[1].T / D + 1) ** 3)
  np.testing.assert_allclose(found, within(a) + within(b) - 2 * between)


def test_wrong_groups_are_refused():
  x = np.ones((2, D))
  for a, b in (([], []), ([x], [x, x]), ([x], [x[:, 1:]]), ([x[:0]], [x])):
    with pytest.raises(UserError):
      kid.kernel_sums(a, b)
  alone = kid.kernel_sums([x[:1]], [x[:1]])
  assert np.isnan(kid.resampled_kernel_distance(alone, [[1]])).all()
