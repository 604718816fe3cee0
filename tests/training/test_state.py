"""What a run keeps."""

import jax
import numpy as np
import optax

from flaxheads.config import AdamConfig
from flaxheads.training.optimizers import adam


def _num_floats(state) -> int:
  leaves = jax.tree.leaves(state)
  return sum(leaf.size for leaf in leaves if leaf.dtype == np.float32)


def test_adam_without_a_first_moment_is_adam():
  config = AdamConfig()
  assert config.b1 == 0
  ours, plain = adam(config), optax.scale_by_adam(0, config.b2, config.epsilon)
  rng = np.random.default_rng(0)
  params = {'kernel': np.zeros((3, 5), np.float32), 'bias': np.zeros(5, 'f')}
  kept, wanted = ours.init(params), plain.init(params)
  for scale in (1, 1e-3, 0, 1e-9):
    gradient = jax.tree.map(
      lambda x, scale=scale: scale * rng.normal(size=x.shape).astype('f'),
      params,
    )
    update, kept = ours.update(gradient, kept)
    expected, wanted = plain.update(gradient, wanted)
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5), update, expected
    )
  assert _num_floats(kept) == 20 and _num_floats(wanted) == 40
