"""A run that begins with a model's parameters has them, and says what not."""

import jax
import numpy as np
import pytest

from flaxheads.errors import UserError
from flaxheads.models import spectral
from flaxheads.training import meta_training, parallel, warm_start
from flaxheads.training.identity_table import IdentityTable
from flaxheads.training.state import TrainState
from tests import tiny_game


def _params(seed, width=5):
  rng = np.random.default_rng(seed)

  def kernel(out):
    return {'kernel': rng.normal(size=(4, out)).astype(np.float32)}

  return {
    'embedder': {'a': kernel(3)},
    'generator': {'b': kernel(width)},
    'discriminator': {'c': kernel(2)},
  }


def _recipe(config):
  """Its state has three kernels, and nothing else of size."""

  def create_state(num_videos, mesh):
    del num_videos
    params = _params(0)
    vectors = {
      name: spectral.init_spectral(jax.random.key(1), tree)
      for name, tree in params.items()
    }
    table = IdentityTable(*[np.zeros((8, 2), np.float32)] * 2, np.zeros(8))
    ema = {name: params[name] for name in ('embedder', 'generator')}
    parts = (np.int32(0), params, vectors, {}, {}, ema)
    state = TrainState(*parts, table)
    return parallel.place(state, mesh, parallel.REPLICATED)

  recipe = meta_training.make_recipe(config)
  return recipe._replace(create_state=create_state)


def test_what_fits_is_taken_and_the_rest_is_named():
  mesh, found = parallel.make_mesh(8), []
  given = _params(9, width=6)  # G of another size
  given['embedder']['more'] = {'bias': np.zeros(3, np.float16)}
  del given['discriminator']
  recipe = warm_start.begin_from(
    _recipe(tiny_game.make_config()), given, 'm', found.append
  )
  state = recipe.create_state(8, mesh)
  (report,) = found
  assert report.taken == ('embedder/a/kernel',)
  assert report.left == (
    'discriminator/c/kernel: not in the model',
    'embedder/more/bias: not in the run',
    'generator/b/kernel: (4, 6) in the model, (4, 5) in the run',
  )
  before = _params(0)
  for name, wanted in (
    ('embedder', given['embedder']['a']['kernel']),
    ('generator', before['generator']['b']['kernel']),
  ):
    (key,) = before[name]
    np.testing.assert_array_equal(state.params[name][key]['kernel'], wanted)
    np.testing.assert_array_equal(state.ema[name][key]['kernel'], wanted)
    # The average is a copy: a step donates both.
    assert (
      state.ema[name][key]['kernel'] is not state.params[name][key]['kernel']
    )
  # The vectors are those of the new kernels: their product is the norm.
  kernel = given['embedder']['a']['kernel']
  u = np.asarray(state.spectral['embedder']['a']['u'])
  wanted = np.linalg.svd(kernel)[1][0]
  np.testing.assert_allclose(np.linalg.norm(kernel @ u), wanted, rtol=1e-2)


def test_a_model_that_does_not_fit_at_all_is_refused():
  recipe = warm_start.begin_from(
    _recipe(tiny_game.make_config()), {'other': {'k': np.zeros(3)}}, 'm', print
  )
  with pytest.raises(UserError, match='--init_from=m: no tensor has the name'):
    recipe.create_state(8, parallel.make_mesh(1))
