"""Ways to measure wrongly that look right: a regression test for each."""

import itertools

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from flaxheads.evaluation import protocol, results, splits, summary, trials
from flaxheads.evaluation.evaluators import marked_name
from flaxheads.evaluation.measure import Target, Truth, measure
from flaxheads.evaluation.protocol import Method
from flaxheads.metrics import fid, identity, image, kid, networks, statistics
from flaxheads.metrics.flicker import flicker
from tests.evaluation import stubs
from tests.faces import face_points, make_person

SIZE = 64


@pytest.fixture(scope='module')
def trial():
  person = make_person(num_frames=14, size=SIZE)
  return trials.make_trial(person, (2,), 'halves', 5)


def _finds(picture):
  return 4 * face_points(SIZE, (1, 2)) if picture.any() else None


def _drawn(seed=9):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)


def _measure(frames, trial, evaluators=None):
  evaluators = evaluators or stubs.everything(_finds)
  truth, target = Truth(trial, evaluators), Target(trial.points[trial.test])
  return measure(frames, truth, target, trial.support[2], evaluators)


def _seen(frames):
  """What a network is given."""
  given = []
  stub = networks.MetricNetwork('stub', '', lambda x: given.append(x) or x)
  stub(image.to_unit_range(frames))
  return given[0][: len(frames)]


def test_metric_mistake_01_channels():
  frame = np.zeros((1, SIZE, SIZE, 3), np.uint8)
  frame[..., 0] = 200
  aligned = identity.align(frame, face_points(SIZE)[None])
  middle = aligned[0, 50:60, 50:60].mean((0, 1)) * 255
  np.testing.assert_allclose(middle, [200, 0, 0], atol=0.5)


def test_metric_mistake_02_range(trial):
  frames = _drawn()
  np.testing.assert_allclose(_seen(frames), frames / 127.5 - 1, atol=1e-6)
  real = trial.frames[trial.test]
  errors = np.square(frames / 255 - real / 255).mean((1, 2, 3))
  wanted = -10 * np.log10(errors).mean()
  np.testing.assert_allclose(
    _measure(frames, trial).values['psnr'], wanted, rtol=1e-5
  )


def test_metric_mistake_03_transposed_images(trial):
  frames = _drawn()
  np.testing.assert_allclose(
    _seen(frames)[1, 3, 7], frames[1, 3, 7] / 127.5 - 1, atol=1e-6
  )
  features = _measure(frames, trial).arrays['inception'].reshape(5, 2, 2, 3)
  upper_right = frames[:, :32, 32:].mean((1, 2)) / 255
  np.testing.assert_allclose(features[:, 0, 1], upper_right, rtol=1e-4)


def test_metric_mistake_04_biased_covariance():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(5, 8)), 3 * rng.normal(size=(4, 8))
  found = statistics.feature_statistics(a).covariance
  np.testing.assert_allclose(found, np.cov(a, rowvar=False))
  # Far apart in scale, the distance is nearly that of the traces.
  wide = fid.feature_distance(1e4 * b, a * 1e-4).value
  mean = np.square(1e4 * b.mean(0) - 1e-4 * a.mean(0)).sum()
  trace = np.trace(np.cov(1e4 * b, rowvar=False))
  np.testing.assert_allclose(wide, mean + trace, rtol=1e-6)


@pytest.mark.parametrize('how', splits.SPLITS)
def test_metric_mistake_05_support_among_the_test_frames(how):
  for count in (2, 7, 20, 64):
    split = splits.split_clip(count, how, 32)
    assert not set(split.support) & set(split.test)
    if how == 'halves':
      assert split.support.max() < split.test.min()


def test_metric_mistake_06_images_compared_with_themselves():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(6, 3)), rng.normal(size=(5, 3))

  def within(x):
    pairs = itertools.permutations(x, 2)
    return np.mean([(p @ q / 3 + 1) ** 3 for p, q in pairs])

  wanted = within(a) + within(b) - 2 * np.mean((a @ b.T / 3 + 1) ** 3)
  np.testing.assert_allclose(kid.kernel_distance(a, b), wanted)
  sums = kid.kernel_sums([a[:2], a[2:]], [b[:4], b[4:]])
  found = kid.resampled_kernel_distance(sums, [[1, 1]])
  np.testing.assert_allclose(found, [wanted])


def test_metric_mistake_07_frames_without_a_face(trial):
  frames = _drawn()
  frames[[1, 3]] = 0
  found = _measure(frames, trial).values
  np.testing.assert_allclose(found['failure_rate'], 2 / 5)
  points = face_points(SIZE, (1, 2))
  asked = trial.points[trial.test[[0, 2, 4]]]
  iod = np.linalg.norm(asked[:, 36] - asked[:, 45], axis=-1)
  wanted = np.linalg.norm(points - asked, axis=-1).mean(-1) / iod
  np.testing.assert_allclose(found['nme'], wanted.mean(), rtol=1e-5)


def test_metric_mistake_08_similarity(trial):
  frames = _drawn()
  points = np.stack([face_points(SIZE, (1, 2))] * 5)
  embed = stubs.arcface()
  a, b = (
    np.asarray(embed(identity.align(x, points)), np.float64)
    for x in (frames, trial.frames[trial.test])
  )
  cosines = [
    x @ y / np.sqrt((x @ x) * (y @ y)) for x, y in zip(a, b, strict=True)
  ]
  found = _measure(frames, trial).values['csim']
  np.testing.assert_allclose(found, np.mean(cosines), rtol=1e-9)


def test_metric_mistake_09_distance_from_what():
  rng = np.random.default_rng(0)
  features = {
    (name, method): rng.normal(size=(9, 4)) + shift
    for name in 'ab'
    for method, shift in (('real', 0), ('ff', 3))
  }
  rows = [
    {'person': name, 'num_shots': 8 * (method == 'ff'), 'method': method}
    for name, method in features
  ]
  made = summary.summarise(
    rows,
    arrays=lambda row: {'inception': features[row['person'], row['method']]},
  )
  drawn, real = (
    np.concatenate([features[name, m] for name in 'ab']) for m in ('ff', 'real')
  )
  wanted = fid.frechet_distance(
    *map(statistics.feature_statistics, (drawn, real))
  )
  np.testing.assert_allclose(made[1]['fid']['mean'], wanted.value)


def test_metric_mistake_10_keypoint_distance_to_the_asked_points(trial):
  # The detector sees the same face everywhere: nothing is far from the truth.
  found = _measure(_drawn(), trial).values
  assert found['akd'] == 0
  assert found['nme'] > 0.1


def test_metric_mistake_11_constants_of_ssim():
  x, y = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
  waves = 0.5 + 0.3 * np.stack(
    [np.sin(0.3 * x), np.cos(0.2 * y), np.sin(x + y)], -1
  )
  noisy = waves + np.random.default_rng(0).normal(scale=0.1, size=waves.shape)
  a, b = waves.astype(np.float32), noisy.clip(0, 1).astype(np.float32)
  _, full = structural_similarity(
    a, b, channel_axis=-1, data_range=1, gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, full=True,
  )  # fmt: skip
  np.testing.assert_allclose(
    image.ssim(a, b), full[5:-5, 5:-5].mean(), rtol=1e-4
  )


def test_metric_mistake_12_intervals():
  values = np.random.default_rng(0).normal(size=50)
  found = results.bootstrap_mean(values)
  half = 1.96 * values.std() / np.sqrt(50)
  np.testing.assert_allclose(found.high - found.low, 2 * half, rtol=0.1)


def test_metric_mistake_13_flicker_without_motion():
  x = np.arange(SIZE)[None, :, None] + np.zeros((SIZE, SIZE, 3))
  frames = np.stack([3 * x, 3 * (x - 5)]).clip(0, 255).astype(np.uint8)
  points = np.stack([face_points(SIZE), face_points(SIZE, (5, 0))])
  np.testing.assert_allclose(flicker(frames, points), 0, atol=1e-6)
  still = np.stack([face_points(SIZE)] * 2)
  np.testing.assert_allclose(flicker(frames, still), 15 / 255, rtol=1e-6)


def test_metric_mistake_14_results_of_other_weights(trial, tmp_path):
  calls = []

  def render(frames, points, drivers):
    calls.append(1)
    return _drawn()[: len(drivers.points)]

  for digest in ('one', 'other', 'one'):
    evaluators = stubs.everything(_finds)._replace(
      lpips=stubs.lpips('', digest)
    )
    store = results.Store(tmp_path)
    method = Method('noise', render)
    protocol.evaluate([trial], [method], (2,), store, evaluators)
  assert len(calls) == 2


def test_metric_mistake_15_names_of_random_weights(trial):
  mark = networks.RANDOM
  marks = dict.fromkeys(('inception', 'arcface', 'lpips'), mark)
  found = _measure(_drawn(), trial, stubs.everything(_finds, **marks))
  for name in ('csim', 'lpips', 'inception'):
    assert name not in {**found.values, **found.arrays}
  label = summary.find_metric(marked_name('fid', stubs.inception(mark))).label
  assert label == 'FID (random weights)'
