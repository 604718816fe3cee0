"""Metric networks: the parts that differ from what one would expect.

The whole networks are compared with PyTorch's by `make parity`.
"""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.models import inception, iresnet, lpips, pretrained
from flaxheads.models.normalisation import prepare
from flaxheads.weights import convention

RED = np.array([[[[1.0, 0.2, -1.0]]]], np.float32)  # in bytes 255, 153, 0


@pytest.mark.parametrize(
  'name, wanted',
  [
    ('CAFFE_VGG', (0 - 103.939, 153 - 116.779, 255 - 123.68)),
    ('CAFFE_VGGFACE', (0 - 93.594, 153 - 104.7624, 255 - 129.1863)),
    ('MATCONVNET_VGGFACE', (255 - 129.1863, 153 - 104.7624, 0 - 93.594)),
    (
      'TORCHVISION',
      ((1 - 0.485) / 0.229, (0.6 - 0.456) / 0.224, (0 - 0.406) / 0.225),
    ),
    ('INCEPTION', (1, 0.2, -1)),
    ('ARCFACE', (1, 0.2, -1)),
    ('LPIPS', (1.03 / 0.458, 0.288 / 0.448, -0.812 / 0.45)),
  ],
)
def test_input_is_what_the_weights_were_trained_on(name, wanted):
  found = prepare(RED, getattr(convention, name))
  np.testing.assert_allclose(found[0, 0, 0], wanted, rtol=1e-5, atol=1e-4)


def test_names_without_a_network_are_refused():
  with pytest.raises(UserError, match="network: 'vgg' is not one of vgg19"):
    pretrained.make_network('vgg')


@pytest.mark.parametrize('size', [(64, 48), (400, 330)])
def test_frames_are_resized_with_two_taps(size):
  frame = np.random.default_rng(0).uniform(-1, 1, (*size, 3))
  frame = frame.astype(np.float32)
  wanted = cv2.resize(frame, (299, 299), interpolation=cv2.INTER_LINEAR)
  found = inception.resize(frame[None])[0]
  np.testing.assert_allclose(found, wanted, atol=2e-4)
  smooth = cv2.resize(frame, (299, 299), interpolation=cv2.INTER_AREA)
  assert np.abs(found - smooth).max() > 0.1  # aliasing is part of FID


def test_average_pools_leave_padding_out():
  x = np.random.default_rng(0).uniform(size=(1, 5, 5, 1)).astype(np.float32)
  found = inception._average_pool(x)
  assert found[0, 0, 0, 0] == pytest.approx(x[0, :2, :2].mean(), 1e-5)
  assert found[0, 2, 2, 0] == pytest.approx(x[0, 1:4, 1:4].mean(), 1e-5)


def test_the_last_two_blocks_pool_differently():
  x = np.random.default_rng(0).uniform(size=(1, 4, 4, 192)).astype(np.float32)
  pooled = {}
  for maximum in (False, True):
    block = inception._BlockE(max_pool=maximum)
    shapes = jax.eval_shape(block.init, jax.random.key(0), x)
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape), shapes)['params']
    params['branch_pool']['conv']['kernel'][0, 0] = np.eye(192)
    y = jax.jit(block.apply)({'params': params}, x)
    assert y.shape == (1, 4, 4, 320 + 768 + 768 + 192)
    pooled[maximum] = y[..., -192:]
  np.testing.assert_allclose(pooled[True][0, 1, 1], x[0, :3, :3].max((0, 1)))
  np.testing.assert_allclose(
    pooled[False][0, 1, 1], x[0, :3, :3].mean((0, 1)), rtol=1e-5
  )
  modules = {}

  def note(next_function, args, kwargs, context):
    if isinstance(context.module, inception._BlockE):
      modules[context.module.name] = context.module.max_pool
    return next_function(*args, **kwargs)

  with inception.nn.intercept_methods(note):
    pretrained.shapes_of('inception')
  assert modules == {'Mixed_7b': False, 'Mixed_7c': True}


def test_a_residual_block_pads_after_its_normalisation():
  # With a scale of 0 and a bias of 1 a block sees ones, and zeros outside: a
  # normalisation folded into the convolution behind it would see ones there.
  block = iresnet._Block(1, 1, False)
  x = np.zeros((1, 4, 4, 1), np.float32)
  shapes = jax.eval_shape(block.init, jax.random.key(0), x)['params']
  params = jax.tree.map(lambda leaf: np.zeros(leaf.shape), shapes)
  params['bn1']['bias'][:] = 1
  params['conv1']['kernel'][:] = 1
  params['conv2']['kernel'][1, 1] = 1
  y = jax.jit(block.apply)({'params': params}, x)[0, :, :, 0]
  assert (y[0, 0], y[0, 1], y[1, 1]) == (4, 6, 9)


def test_lpips_is_the_weighted_square_of_unit_features():
  rng = np.random.default_rng(0)
  a, b = rng.normal(size=(2, 1, 3, 3, 4)).astype(np.float32)
  found = lpips._unit(jnp.asarray(a))
  np.testing.assert_allclose((found**2).sum(-1), 1, rtol=1e-5)
  network = pretrained.make_network('lpips_alex')
  shapes = pretrained.shapes_of('lpips_alex')
  params = jax.tree.map(lambda leaf: np.zeros(leaf.shape), shapes)
  for layer in ('conv1', 'conv2', 'conv3', 'conv4', 'conv5'):
    params[layer]['bias'][0] = 1  # one feature, everywhere the same
  # The first layer's second feature is the red in the middle of its kernel.
  params['conv1']['kernel'][5, 5, 0, 1] = 1
  params['lin0'][:2] = 3, 7
  frames = np.full((1, 64, 64, 3), -0.030, np.float32)  # black: all zero
  other = frames.copy()
  other[..., 0] += 0.458  # red of one: unit features (1, 1) / sqrt(2)
  found = jax.jit(network.apply)({'params': params}, frames, other)
  root = np.sqrt(0.5)
  wanted = 3 * (1 - root) ** 2 + 7 * root**2
  assert found[0] == pytest.approx(wanted, 1e-3)
