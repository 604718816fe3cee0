"""The content networks: the right layers, after ReLU, of the right input."""

import jax
import numpy as np
import pytest

from flaxheads.models import perceptual
from flaxheads.models.normalisation import prepare
from flaxheads.weights.convention import Convention

NAMES = {
  'vgg19': '11 12 21 22 31 32 33 34 41 42 43 44 51',
  'vggface': '11 12 21 22 31 32 33 41 42 43 51',
}


@pytest.mark.parametrize('name', ['vgg19', 'vggface'])
def test_layers_and_shapes(name):
  network = getattr(perceptual, name)()
  image = jax.ShapeDtypeStruct((2, 64, 64, 3), np.float32)
  shapes = jax.eval_shape(network.init, jax.random.key(0), image)
  layers = {f'conv{block}_{i}' for block, i in NAMES[name].split()}
  assert set(shapes['params']) == layers
  features = jax.eval_shape(network.apply, shapes, image)
  assert [feature.shape[1:] for feature in features] == [
    (64, 64, 64),
    (32, 32, 128),
    (16, 16, 256),
    (8, 8, 512),
    (4, 4, 512),
  ]


def test_input_is_that_of_caffe():
  red_to_blue = np.array([[[[1.0, 0.0, -1.0]]]], np.float32)
  found = prepare(red_to_blue, perceptual.vgg19().convention)
  # B 0, G 127.5 and R 255, less the means of ImageNet in that order.
  wanted = [0 - 103.939, 127.5 - 116.779, 255 - 123.68]
  np.testing.assert_allclose(found[0, 0, 0], wanted, rtol=1e-5)


def test_features_are_the_first_of_each_block_after_relu():
  no_mean = Convention('BGR', 0.0, 255.0, (0.0,) * 3, (1.0,) * 3)
  network = perceptual.VGG((2, 1, 1, 1, 1), no_mean)
  rng = np.random.default_rng(0)
  image = rng.uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
  shapes = jax.eval_shape(network.init, jax.random.key(0), image)['params']
  params = jax.tree.map(
    lambda leaf: (
      rng.normal(size=leaf.shape).astype(np.float32)
      / np.sqrt(np.prod(leaf.shape[:-1]))
    ),
    shapes,
  )
  first, second, *rest = jax.jit(network.apply)({'params': params}, image)

  def conv(x, name):  # padded with zeros; Caffe's kernels are not flipped
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    kernel, bias = params[name]['kernel'], params[name]['bias']
    h, w = x.shape[:2]
    y = sum(
      padded[i : i + h, j : j + w] @ kernel[i, j]
      for i in range(3)
      for j in range(3)
    )
    return np.maximum(y + bias, 0)

  x = (image[0, ..., ::-1] + 1) * 127.5
  x = conv(x, 'conv1_1')
  np.testing.assert_allclose(first[0], x, rtol=1e-3, atol=1e-2)
  x = conv(x, 'conv1_2').reshape(8, 2, 8, 2, 64).max((1, 3))
  np.testing.assert_allclose(
    second[0], conv(x, 'conv2_1'), rtol=1e-3, atol=1e-2
  )
  for feature in (first, second, *rest):
    assert feature.min() == 0  # after ReLU: half of it is cut
    assert feature.max() > 0
