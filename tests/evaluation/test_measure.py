"""Generated frames are measured by evaluators whose answers are known."""

import numpy as np
import pytest

from flaxheads.evaluation import measure, protocol, results, trials
from flaxheads.evaluation.evaluators import Evaluators
from flaxheads.evaluation.measure import Target, Truth
from flaxheads.evaluation.protocol import Method
from flaxheads.metrics import identity, networks
from flaxheads.metrics.flicker import flicker
from tests.evaluation import stubs
from tests.faces import face_points, make_person

SIZE = 64


def _trial(name='ann', seed=0):
  person = make_person(name, num_frames=14, size=SIZE, seed=seed)
  return trials.make_trial(person, (2,), 'halves', 5)


def _finds(picture):
  """A face in every image that is not black."""
  return 4 * face_points(SIZE) if picture.any() else None


@pytest.fixture(scope='module')
def trial():
  return _trial()


def _drawn(trial, seed=9):
  rng = np.random.default_rng(seed)
  shape = (len(trial.test), SIZE, SIZE, 3)
  return rng.integers(0, 256, shape, np.uint8)


def _measure(frames, trial, evaluators, driver=None):
  points = trial.points[trial.test][: len(frames)]
  target = Target(points, driver)
  truth = Truth(trial, evaluators)
  return measure.measure(frames, truth, target, trial.support[2], evaluators)


def test_every_evaluator_is_asked_once_for_all(trial):
  frames = _drawn(trial)
  found = _measure(frames, trial, stubs.everything(_finds))
  real = trial.frames[trial.test]
  distance = np.abs(frames / 255 - real / 255).mean()
  np.testing.assert_allclose(found.values['lpips'], distance, rtol=1e-5)
  realism = frames.mean((1, 2, 3)) - real.mean()
  np.testing.assert_allclose(found.values['realism'], realism.mean(), rtol=1e-5)
  changes = flicker(frames, trial.points[trial.test])
  np.testing.assert_allclose(found.values['flicker'], changes.mean())
  quarter = frames[3, :32, 32:].mean((0, 1)) / 255
  features = found.arrays['inception']
  np.testing.assert_allclose(features[3, 3:6], quarter, rtol=1e-4)
  assert set(found.values) == {
    'psnr', 'ssim', 'psnr_face', 'lpips', 'nme', 'failure_rate', 'akd',
    'csim', 'flicker', 'realism',
  }  # fmt: skip


def _csim(a, b, points, others):
  embed = stubs.arcface()
  a, b = embed(identity.align(a, points)), embed(identity.align(b, others))
  return identity.cosine_similarity(a, b)


def test_csim_is_with_the_true_frame_and_counts_faces_alone(trial):
  frames, evaluators = _drawn(trial), stubs.everything(_finds)
  frames[1] = 0  # no face is found there
  found = _measure(frames, trial, evaluators).values
  kept = [0, 2, 3, 4]
  points = np.stack([face_points(SIZE)] * 4)
  real = trial.frames[trial.test]
  wanted = _csim(frames[kept], real[kept], points, points).mean()
  np.testing.assert_allclose(found['csim'], wanted, rtol=1e-5)
  np.testing.assert_allclose(found['failure_rate'], 1 / 5)
  # Without a detector faces are aligned by the points that were asked for.
  blind = Evaluators(arcface=stubs.arcface())
  asked = trial.points[trial.test]
  found = _measure(frames, trial, blind).values
  wanted = _csim(frames, real, asked, asked).mean()
  np.testing.assert_allclose(found['csim'], wanted, rtol=1e-5)


def test_sface_has_its_own_column(trial):
  """Beside ArcFace's, from faces aligned alike."""
  frames, both = _drawn(trial), stubs.everything(_finds)
  other = stubs.arcface(mark=networks.RANDOM)._replace(
    name='sface', apply=lambda x: np.asarray(x)[:, 40:60, 40, 0]
  )
  found = _measure(frames, trial, both._replace(sface=other)).values
  points = np.stack([face_points(SIZE)] * len(frames))
  a, b = (
    other(identity.align(x, points)) for x in (frames, trial.frames[trial.test])
  )
  wanted = identity.cosine_similarity(a, b).mean()
  np.testing.assert_allclose(
    found['csim_sface_random_weights'], wanted, rtol=1e-5
  )
  assert found['csim'] == _measure(frames, trial, both).values['csim']


def test_of_anothers_motion_csim_is_with_the_support(trial):
  frames = _drawn(trial)
  found = _measure(frames, trial, stubs.everything(_finds), 'bob').values
  assert set(found) == {'nme', 'failure_rate', 'csim', 'flicker', 'realism'}
  points = np.stack([face_points(SIZE)] * len(frames))
  support = trial.frames[trial.support[2]]
  wanted = [
    _csim(frames, np.stack([frame] * len(frames)), points, points)
    for frame in support
  ]
  np.testing.assert_allclose(found['csim'], np.mean(wanted), rtol=1e-5)


def test_no_face_at_all_has_no_value(trial):
  black = np.zeros_like(_drawn(trial))
  found = _measure(black, trial, stubs.everything(_finds)).values
  assert found['failure_rate'] == 1
  assert found['csim'] is found['nme'] is found['akd'] is None
  row = results.bootstrap_mean([found['nme']])
  assert row.count == 0


def test_untrusted_weights_have_marked_names(trial):
  marks = {
    'inception': networks.RANDOM,
    'arcface': networks.UNVERIFIED,
    'lpips': networks.RANDOM,
  }
  evaluators = stubs.everything(_finds, **marks)
  found = _measure(_drawn(trial), trial, evaluators)
  assert {'csim_unverified_weights', 'lpips_random_weights'} <= set(
    found.values
  )
  assert not {'csim', 'lpips'} & set(found.values)
  assert set(found.arrays) == {'inception_random_weights'}
  assert evaluators.warnings == ['arcface_r50: unverified weights']


def test_truth_is_looked_at_once(trial):
  calls = []

  def find(picture):
    calls.append(picture)
    return _finds(picture)

  evaluators = stubs.everything(find)
  truth = Truth(trial, evaluators)
  for _ in range(3):
    target = Target(trial.points[trial.test])
    measure.measure(_drawn(trial), truth, target, trial.support[2], evaluators)
  assert len(calls) == len(trial.frames) + 3 * 5


@pytest.mark.parametrize('size', [1, 3, 64])
def test_results_do_not_depend_on_the_batch(size, trial, monkeypatch):
  frames, evaluators = _drawn(trial), stubs.everything(_finds)
  whole = _measure(frames, trial, evaluators)
  monkeypatch.setattr(networks, 'BATCH_SIZE', size)
  parts = _measure(frames, trial, evaluators)
  for name, value in whole.values.items():
    np.testing.assert_allclose(parts.values[name], value, rtol=1e-6)
  np.testing.assert_allclose(
    parts.arrays['inception'], whole.arrays['inception'], rtol=1e-6
  )


@pytest.mark.parametrize('name', ['inception', 'arcface', 'lpips', 'critic'])
def test_other_weights_are_measured_again(name, tmp_path, trial):
  calls = []

  def render(frames, points, drivers):
    calls.append(1)
    return np.zeros((len(drivers.points), SIZE, SIZE, 3), np.uint8)

  def run(evaluators):
    store = results.Store(tmp_path)
    made = Method('black', render)
    return protocol.evaluate([trial], [made], (2,), store, evaluators)

  first = stubs.everything(_finds)
  rows = run(first)
  assert run(first) == rows and len(calls) == 1
  run(first._replace(**{name: getattr(stubs, name)(digest='other')}))
  run(first._replace(**{name: None}))
  assert len(calls) == 3
