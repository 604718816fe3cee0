"""Inception features, FID and KID against pytorch-fid and torchmetrics."""

import functools

import jax
import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip('torch', reason='PyTorch parity: make parity')
torchvision = pytest.importorskip('torchvision', reason='make parity')
pytorch_fid = pytest.importorskip('pytorch_fid', reason='make parity')

from pytorch_fid import fid_score  # noqa: E402
from pytorch_fid import inception as reference  # noqa: E402

from flaxheads.metrics import fid, image, kid, networks, statistics  # noqa: E402
from tests.parity import references as r  # noqa: E402


@pytest.fixture(scope='module')
def pair(tmp_path_factory):
  """pytorch-fid's network and ours with the same random weights."""
  folder = tmp_path_factory.mktemp('inception')
  random = r.randomise(
    torchvision.models.inception_v3(
      weights=None, num_classes=1008, aux_logits=False, init_weights=False
    )
  )
  r.calibrate(random, r.to_torch(r.frames_of(6, 150, 150, 7)))
  file = r.save(random, folder / 'published.pth')
  with pytest.MonkeyPatch.context() as patch:
    state = functools.partial(torch.load, file, weights_only=True)
    patch.setattr(
      reference, 'load_state_dict_from_url', lambda *_, **__: state()
    )
    theirs = reference.InceptionV3().eval()
  network, variables = r.load_ours('inception', [file], folder)
  return theirs, network, variables


@pytest.mark.parametrize('size', [(96, 80), (299, 299), (320, 360)])
def test_features(pair, size):
  model, network, variables = pair
  frames = r.frames_of(2, *size)
  with torch.no_grad():
    theirs = model(r.to_torch((frames + 1) / 2))[0][:, :, 0, 0]
  ours = jax.jit(network.apply)(variables, frames)
  r.check(f'inception features at {size}', ours, theirs.numpy())
  wrong = jax.jit(network.apply)(variables, frames[..., ::-1])
  r.check_differs(f'inception, BGR at {size}', wrong, theirs.numpy())


def _pictures(folder, count, seed):
  folder.mkdir()
  frames = r.frames_of(count, 48, 48, seed)
  frames = ((frames + 1) * 127.5).round().astype(np.uint8)
  for i, frame in enumerate(frames):
    Image.fromarray(frame).save(folder / f'{i:03}.png')
  return frames


def test_the_whole_fid(pair, tmp_path):
  model, network, variables = pair
  apply = jax.jit(network.apply)
  ours = networks.MetricNetwork(
    'inception', '', lambda frames: apply(variables, frames)
  )
  found, wanted = [], []
  for seed, count in ((1, 20), (2, 24)):
    folder = tmp_path / str(seed)
    frames = image.to_unit_range(_pictures(folder, count, seed))
    found.append(statistics.feature_statistics(ours(frames)))
    files = sorted(folder.glob('*.png'))
    wanted.append(
      fid_score.calculate_activation_statistics(
        files, model, batch_size=10, num_workers=0
      )
    )
    r.check('mean of the features', found[-1].mean, wanted[-1][0])
    r.check('covariance of the features', found[-1].covariance, wanted[-1][1])
  distance = fid.frechet_distance(*found)
  assert distance.small_sample
  theirs = fid_score.calculate_frechet_distance(*wanted[0], *wanted[1])
  r.check('FID by pytorch-fid', [distance.value], [theirs])


def test_frechet_distance_of_full_covariances():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(300, 32)), rng.normal(0.2, 1.3, size=(400, 32))
  a = a @ rng.normal(size=(32, 32))
  ours = fid.frechet_distance(
    statistics.feature_statistics(a), statistics.feature_statistics(b)
  )
  theirs = fid_score.calculate_frechet_distance(
    a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False)
  )
  r.check('Frechet distance, 32 dimensions', [ours.value], [theirs], 1e-9)


def test_kernel_distance():
  metrics = pytest.importorskip('torchmetrics.image.kid', reason='make parity')
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(50, 64)), rng.normal(0.3, 1.2, size=(50, 64))
  theirs = metrics.poly_mmd(torch.from_numpy(a), torch.from_numpy(b))
  r.check('KID by torchmetrics', [kid.kernel_distance(a, b)], [theirs], 1e-9)
