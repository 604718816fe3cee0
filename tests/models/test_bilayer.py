"""The generator's start is the warped photograph; AdaIN slices fit."""

import jax
import numpy as np
import pytest

from flaxheads import bilayer_networks as nets
from flaxheads.models import bilayer, windows
from tests import tiny_bilayer


@pytest.fixture(scope='module')
def networks():
  return nets.build_networks(tiny_bilayer.make_config().model)


@pytest.fixture(scope='module')
def inputs():
  batch = tiny_bilayer.make_batch(tiny_bilayer.make_config(), 2)
  frames = batch.frames.astype(np.float32) / 127.5 - 1
  return frames, batch.points


@pytest.fixture(scope='module')
def untrained(networks, inputs):
  """A generator as initialised, the target being the photograph itself."""
  params = tiny_bilayer.make_params(tiny_bilayer.make_config())
  head = params['generator']['to_mask_and_flow']
  head['kernel'][:] = head['bias'][:] = 0
  frames, vertices = inputs
  embedding = np.ones((2, networks.embedder.embedding_size), np.float32)
  render = jax.jit(
    lambda params, *inputs: nets.render_window(
      networks, params, *inputs, embedding=embedding
    )
  )
  photograph, source = frames[:, 0], vertices[:, 0]
  return photograph, render(params['generator'], photograph, source, source)


def test_heads_of_mask_and_flow_start_at_zero(networks):
  shapes = jax.eval_shape(lambda: nets.init_params(networks, jax.random.key(0)))
  head = bilayer.nn.Conv(3, (3, 3), kernel_init=bilayer.nn.initializers.zeros)
  assert (head.kernel_init(None, (3, 3, 2, 3)) == 0).all()
  assert shapes['generator']['to_mask_and_flow']['kernel'].shape[-1] == 3


def test_the_target_that_is_the_photograph_gives_it_back(untrained, networks):
  photograph, rendering = untrained
  window = windows.cut(photograph, rendering.origin, 32)
  np.testing.assert_allclose(rendering.warped, window, atol=0.02)
  frame, mask, flow = rendering.composite
  np.testing.assert_array_equal(flow, 0)
  # Shares of photograph and new colours, mask of the prior alone.
  wanted = mask * rendering.warped + (1 - mask) * rendering.rgb
  np.testing.assert_allclose(frame, wanted, atol=1e-5)
  outside = np.asarray(rendering.field.labels[..., :1]) == 0
  seen = np.asarray(rendering.field.seen) == 1
  assert (np.asarray(mask)[outside & seen] > 0.88).all()  # sigmoid(2)


def test_the_window_fades_into_the_photograph(untrained):
  mask = np.asarray(untrained[1].composite.mask)[..., 0]
  edge = np.concatenate(
    [mask[:, 0].ravel(), mask[:, -1].ravel(), mask[:, :, 0].ravel()]
  )
  assert (edge > 0.99).all()


def test_a_mouth_opened_from_a_closed_one_is_generated(untrained):
  field = untrained[1].field
  labels = np.zeros_like(field.labels)
  labels[..., 0] = 1
  stretch = np.zeros_like(field.log_stretch)
  seen = np.ones_like(field.seen)
  field = field._replace(labels=labels, log_stretch=stretch, seen=seen)
  as_it_was = bilayer.prior_logit(field)
  opened = bilayer.prior_logit(field._replace(log_stretch=stretch - 2))
  hidden = bilayer.prior_logit(field._replace(seen=0 * seen))
  np.testing.assert_allclose(as_it_was, 2)
  np.testing.assert_allclose(opened, -1)
  np.testing.assert_allclose(hidden, 0)


def test_teeth_of_the_photograph_stay(untrained):
  """Whatever G says, an open mouth of the photograph is its own."""
  field = untrained[1].field
  labels = np.zeros_like(field.labels)
  labels[:, 12:20, 10:22, 0] = 1
  output = bilayer.BilayerOutput(
    np.zeros((*labels.shape[:3], 3), np.float32),
    np.full((*labels.shape[:3], 1), -20, np.float32),
    np.zeros((*labels.shape[:3], 2), np.float32),
  )
  for stretch, share in ((0.0, 1.0), (-0.7, 0.5), (-2.0, 0.0)):
    field = field._replace(
      labels=labels, log_stretch=np.full_like(field.log_stretch, stretch)
    )
    mask = np.asarray(bilayer.mask_and_flow(field, output)[0])
    np.testing.assert_allclose(mask[:, 12:20, 10:22], share, atol=1e-5)
    np.testing.assert_allclose(mask[:, 9:11, 10:22], 0, atol=1e-5)


def test_adain_params_are_as_many_as_the_layers_take(networks):
  generator = networks.generator
  # Two norms of each of two channels' numbers, in a residual block at 8² (16
  # channels), in up blocks to 16² (16 -> 8) and 32² (8 -> 8), and at the end.
  layers = [16, 16, 16, 8, 8, 8, 8]
  assert generator.num_adain_params == 2 * sum(layers)


def test_every_adain_parameter_matters(networks, untrained):
  photograph, rendering = untrained
  params = tiny_bilayer.make_params(tiny_bilayer.make_config(), seed=3)
  features = bilayer.window_features(
    rendering.landmark_images,
    rendering.warped,
    rendering.field,
    rendering.origin,
  )
  assert features.shape[-1] == bilayer.NUM_FEATURES

  def total(psi):
    output = networks.generator.apply(
      {'params': params['generator']}, features, rendering.warped, psi
    )
    return (output.rgb * rendering.warped).sum() + output.flow.std()

  rng = np.random.default_rng(0)
  psi = rng.normal(size=(2, networks.generator.num_adain_params))
  gradient = jax.jit(jax.grad(total))(psi.astype(np.float32))
  assert (np.abs(gradient).max(0) > 0).all()


def test_windows_come_back_to_their_places():
  rng = np.random.default_rng(0)
  images = rng.normal(size=(3, 20, 20, 2)).astype(np.float32)
  points = rng.uniform(-5, 25, (3, 68, 2)).astype(np.float32)
  origin = windows.window_origin(points, 8, 20)
  assert (np.asarray(origin) >= 0).all() and (np.asarray(origin) <= 12).all()
  inside = windows.cut(images, origin, 8)
  np.testing.assert_array_equal(windows.paste(inside, images, origin), images)
  x, y = np.asarray(origin[1], int)
  np.testing.assert_array_equal(inside[1], images[1, y : y + 8, x : x + 8])
