"""Networks that measure: any batch, the right input, marked when untrusted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.metrics import networks
from flaxheads.metrics.lpips import lpips
from flaxheads.models import pretrained
from flaxheads.weights import convention, store

pytestmark = pytest.mark.usefixtures('fast_programs')  # large networks


def _frames(count, seed=0, size=40):
  rng = np.random.default_rng(seed)
  coarse = rng.uniform(size=(count, 5, 5, 3))
  frames = coarse.repeat(size // 5, 1).repeat(size // 5, 2)
  frames += rng.normal(scale=0.05, size=frames.shape)
  return frames.clip(0, 1).astype(np.float32)


@pytest.fixture(scope='module')
def network():
  return networks.random_network('lpips_alex', seed=1)


@pytest.fixture(scope='module')
def pairs():
  return _frames(35, 1), _frames(35, 2)


def test_it_does_not_depend_on_the_batch(network, pairs):
  a, b = pairs
  whole = network(a, b)
  assert whole.shape == (35,) and whole.dtype == np.float32
  for size in (1, 5, 16, 17):
    parts = [
      network(a[i : i + size], b[i : i + size]) for i in range(0, 35, size)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
  # Nor on the neighbours in it.
  order = np.random.default_rng(0).permutation(35)
  np.testing.assert_allclose(network(a[order], b[order]), whole[order], 1e-6)


def test_networks_see_minus_one_to_one():
  seen = []
  stub = networks.MetricNetwork('stub', '', lambda x: seen.append(x) or x)
  frames = np.broadcast_to(np.float32([0, 0.5, 1]), (3, 4, 4, 3))
  found = stub(frames)
  assert seen[0].shape == (networks.BATCH_SIZE, 4, 4, 3)
  np.testing.assert_array_equal(found, frames * 2 - 1)


def test_lpips_is_a_distance(network, pairs):
  a, b = pairs
  distance = lpips(network, a, b)
  assert distance.min() > 0
  np.testing.assert_allclose(lpips(network, b, a), distance, rtol=1e-5)
  np.testing.assert_allclose(lpips(network, a, a), 0, atol=1e-9)
  near = lpips(network, a, (a + 0.02 * (b - a)))
  assert np.all(near < distance)


@pytest.mark.parametrize(
  'spoil',
  [
    lambda x: x[..., ::-1],
    lambda x: x.swapaxes(1, 2),
    lambda x: x[:, :, ::-1],
    lambda x: x / 255,
    lambda x: (x + 1) / 2,
  ],
)
def test_spoilt_images_are_far(network, pairs, spoil):
  a, _ = pairs
  noisy = (a + np.random.default_rng(5).normal(scale=0.01, size=a.shape)).clip(
    0, 1
  )
  near = lpips(network, a, noisy.astype(np.float32)).mean()
  assert lpips(network, a, spoil(a)).mean() > 2 * near


@pytest.mark.parametrize(
  'spoil, message',
  [
    (lambda x: x * 255, r'\[0, 1\] is needed'),
    (lambda x: x * 2 - 1, r'\[0, 1\] is needed'),
    (lambda x: (x * 255).astype(np.uint8), 'uint8 given'),
    (lambda x: x.transpose(0, 3, 1, 2), 'is needed|pixels'),
    (lambda x: x[1:], 'one shape'),
    (lambda x: x[0], 'one shape'),
  ],
)
def test_wrong_frames_are_refused(network, pairs, spoil, message):
  a, b = pairs
  with pytest.raises(UserError, match=message):
    network(a, spoil(b))
  with pytest.raises(UserError, match=message):
    lpips(network, spoil(a), b)


def test_lpips_wants_its_network_and_enough_pixels(network):
  stub = networks.MetricNetwork('inception', '', lambda x: x)
  with pytest.raises(UserError, match='inception given; lpips_alex is needed'):
    lpips(stub, _frames(1), _frames(1))
  with pytest.raises(UserError, match='at least 32x32'):
    lpips(network, _frames(1, size=20), _frames(1, size=20))


def test_random_weights_are_marked_and_repeat(network, pairs):
  assert 'lpips_alex: random weights' in network.warning
  again = networks.random_params('lpips_alex', seed=1)
  other = networks.random_params('lpips_alex', seed=2)
  first = networks.random_params('lpips_alex', seed=1)
  jax.tree.map(np.testing.assert_array_equal, first, again)
  assert np.any(first['conv1']['kernel'] != other['conv1']['kernel'])


def _save(path, to_see, **others):
  params = networks.random_params('lpips_alex', seed=1)
  store.save(path, 'lpips_alex', params, to_see, **others)


def test_weights_are_marked_unless_their_publisher_vouches(tmp_path):
  path = tmp_path / 'x.safetensors'
  _save(path, convention.LPIPS, verified_by=store.PUBLISHER, sha256='ab')
  assert networks.load_network('lpips_alex', path).warning == ''
  _save(path, convention.LPIPS, verified_by=store.USER, sha256='abcd')
  warning = networks.load_network('lpips_alex', path).warning
  assert 'no publisher has confirmed' in warning and 'abcd' in warning
  _save(path, convention.LPIPS)
  assert networks.load_network('lpips_alex', path).warning
  with pytest.raises(UserError, match="'lpips_alex'; inception is needed"):
    networks.load_network('inception', path)


def test_the_network_obeys_the_file(tmp_path, monkeypatch, network, pairs):
  monkeypatch.setenv(store.FOLDER_VARIABLE, str(tmp_path))
  a, b = (x[:3] for x in pairs)
  with pytest.raises(UserError, match='--fetch=lpips_alex'):
    networks.load_network('lpips_alex')
  path = store.default_path('lpips_alex')
  _save(path, convention.LPIPS)
  wanted = networks.load_network('lpips_alex')(a, b)
  np.testing.assert_allclose(wanted, network(a, b), rtol=1e-6)
  lpips_bgr = convention.LPIPS._replace(
    channels='BGR',
    mean=convention.LPIPS.mean[::-1],
    std=convention.LPIPS.std[::-1],
  )
  _save(path, lpips_bgr)
  turned = networks.load_network('lpips_alex')
  assert np.all(np.abs(turned(a, b) / wanted - 1) > 1e-4)
  # A kernel turned over as well is the same network again.
  params = networks.random_params('lpips_alex', seed=1)
  kernel = params['conv1']['kernel']
  params['conv1']['kernel'] = np.ascontiguousarray(kernel[:, :, ::-1])
  store.save(path, 'lpips_alex', params, lpips_bgr)
  again = networks.load_network('lpips_alex')
  np.testing.assert_allclose(again(a, b), wanted, rtol=1e-4)


@pytest.mark.parametrize('name', ['arcface_r50', 'inception'])
def test_random_features_stay_in_bounds(name):
  """So that an evaluation can be tried without any download."""
  params = networks.random_params(name)
  frames = jnp.asarray(_frames(2, 3, 110)) * 2 - 1
  frames = jnp.pad(frames, ((0, 0), (0, 2), (0, 2), (0, 0)), mode='edge')
  apply = jax.jit(pretrained.make_network(name).apply)
  found = np.asarray(apply({'params': params}, frames))
  assert np.isfinite(found).all()
  assert 1e-3 < np.abs(found).mean() < 1e3
  assert np.abs(found[0] - found[1]).mean() > 1e-2 * np.abs(found).mean()
