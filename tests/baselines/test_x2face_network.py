"""X2Face's networks: sampling, averaging of sources, published size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from flaxheads.baselines.x2face.config import X2FaceModelConfig
from flaxheads.baselines.x2face.network import build_network, init_variables
from flaxheads.models.grid_sample import grid_sample, identity_grid
from tests.baselines.tools import X2FACE, make_variables

SIZE = 64


def _picture(*shape, seed=0):
  rng = np.random.default_rng(seed)
  return rng.uniform(0, 1, shape).astype(np.float32)


def test_sampling_agrees_with_scipy():
  images = _picture(2, 7, 11, 3)
  rng = np.random.default_rng(1)
  grid = rng.uniform(-1.6, 1.6, (2, 5, 6, 2)).astype(np.float32)
  grid[0, 0, :2] = [[-1, -1], [1, 1]]  # corners, exactly
  sampled = grid_sample(images, grid)
  x, y = (grid[..., 0] + 1) / 2 * 10, (grid[..., 1] + 1) / 2 * 6
  for b in range(2):
    for c in range(3):
      wanted = ndimage.map_coordinates(
        images[b, ..., c], (y[b], x[b]), order=1, mode='grid-constant'
      )
      np.testing.assert_allclose(sampled[b, ..., c], wanted, atol=1e-5)


def test_the_identity_grid_returns_the_image():
  images = _picture(2, 9, 6, 3)
  grid = jnp.broadcast_to(identity_grid(9, 6), (2, 9, 6, 2))
  np.testing.assert_allclose(grid_sample(images, grid), images, atol=1e-6)


def test_the_gradient_of_sampling_is_the_slope():
  ramp = np.arange(8, dtype=np.float32)[None, :, None].repeat(8, 0)  # along x
  grid = np.array([[[0.1, -0.3], [0.5, 0.2]]], np.float32)
  slope = jax.grad(lambda g: grid_sample(ramp[None], g[None]).sum())(grid)
  # 3.5 pixels for a unit of the grid; nothing along y.
  np.testing.assert_allclose(slope, [[[3.5, 0], [3.5, 0]]], atol=1e-5)


def _published_count(base, size, out, bottleneck, skips):
  """Weights of the published U-Net, level by level, without Flax."""
  levels = int(np.log2(size))
  wide = [base * min(2**i, 8) for i in range(levels)]
  wide[-1] = bottleneck
  down = up = norms = 0
  for i in range(levels):
    before = wide[i - 1] if i else 3
    down += 4 * 4 * before * wide[i]  # no biases: normalisation follows
    seen = 2 * wide[i] if skips and i < levels - 1 else wide[i]
    up += 3 * 3 * seen * (before if i else out)
    norms += 2 * wide[i] if 0 < i < levels - 1 else 0
    norms += 2 * before if i else 0
  return down + up + norms


@pytest.mark.parametrize(
  'config, embedder, driver',
  [
    (X2FaceModelConfig(), 39_157_760, 25_614_080),
    (X2FaceModelConfig.small(), None, None),
  ],
)
def test_the_size_is_the_published_code_s(config, embedder, driver):
  variables = jax.eval_shape(lambda: init_variables(config, jax.random.key(0)))
  counted = {
    name: sum(leaf.size for leaf in jax.tree.leaves(tree))
    for name, tree in variables['params'].items()
  }
  base, size = config.base_channels, config.image_size
  wanted = {
    'embedder': _published_count(base, size, 3, 8 * base, True),
    'driver': _published_count(
      base, size, 2, config.bottleneck_channels, False
    ),
  }
  assert counted == wanted
  if embedder:
    assert counted == {'embedder': embedder, 'driver': driver}


def test_normalisation_starts_as_in_the_published_code():
  config = X2FaceModelConfig(64, 4, 8, 'float32')
  variables = jax.jit(lambda key: init_variables(config, key))(
    jax.random.key(0)
  )
  scales = [
    leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables['params'])
    if path[-1].key == 'scale'
  ]
  scales = np.concatenate([np.ravel(scale) for scale in scales])
  assert scales.min() >= 0.02 and scales.max() <= 1
  assert scales.mean() == pytest.approx(0.51, abs=0.05)


@pytest.fixture(scope='module')
def network():
  """Tiny networks of random weights, applied in use, not in training."""
  variables = make_variables(X2FACE)
  module = build_network(X2FACE.model)
  methods = {
    name: jax.jit(
      lambda v, *args, name=name: module.apply(v, *args, method=name)
    )
    for name in ('embed', 'drive')
  }
  return variables, methods


def test_sources_are_averaged_by_confidence(network):
  variables, methods = network
  sources = 2 * _picture(1, 3, SIZE, SIZE, 3) - 1
  together = methods['embed'](variables, sources)
  alone = [methods['embed'](variables, sources[:, i : i + 1]) for i in range(3)]
  weights = np.stack([one.confidence[0, 0] for one in alone])  # [3, S, S, 1]
  faces = np.stack([one.face[0] for one in alone])
  assert weights.min() > 0.1 and np.ptp(weights) > 0
  wanted = (faces * weights).sum(0) / weights.sum(0)
  np.testing.assert_allclose(together.face[0], wanted, atol=1e-5)


def test_a_driver_that_moves_nothing_returns_the_embedded_face(network):
  variables, methods = network
  face = _picture(1, SIZE, SIZE, 3, seed=2)
  driver = 2 * _picture(1, SIZE, SIZE, 3, seed=3) - 1
  moved = methods['drive'](variables, face, driver)
  assert np.abs(moved - (2 * face - 1)).mean() > 0.1
  last = max(
    (name for name in variables['params']['driver'] if 'Conv' in name),
    key=lambda name: int(name.split('_')[1]),
  )
  still = jax.tree.map(np.copy, variables)
  still['params']['driver'][last]['kernel'][:] = 0
  same = methods['drive'](still, face, driver)
  # A place is good to some millionths of the image, and this one is noise.
  np.testing.assert_allclose(same, 2 * face - 1, atol=1e-4)


def test_nothing_passes_from_driver_to_face_but_the_bottleneck(network):
  """All that the driver says goes through its 128 numbers, here 8."""
  variables, methods = network
  face = _picture(1, SIZE, SIZE, 3, seed=2)
  names = [n for n in variables['params']['driver'] if 'Conv' in n]
  down = sorted(names, key=lambda name: int(name.split('_')[1]))[:6]
  deaf = jax.tree.map(np.copy, variables)
  deaf['params']['driver'][down[-1]]['kernel'][:] = 0
  answers = [
    methods['drive'](deaf, face, 2 * _picture(1, SIZE, SIZE, 3, seed=s) - 1)
    for s in (3, 4)
  ]
  np.testing.assert_array_equal(*answers)
