"""Programs that take a CPU longer to compile than to run."""

import jax
import jax.numpy as jnp
import pytest

from flaxheads import quick_jit

_SETTING = 'jax_disable_most_optimizations'


@pytest.fixture
def setting():
  before = jax.config.read(_SETTING)
  yield lambda value: jax.config.update(_SETTING, value)
  jax.config.update(_SETTING, before)


@pytest.mark.parametrize(
  ('disabled', 'level'), [(True, 'once'), (False, 'some')]
)
def test_the_level_is_the_programs_own_unless_jax_is_told_to_hurry(
  disabled, level, setting, monkeypatch
):
  asked = []
  options = quick_jit.cpu_options
  monkeypatch.setattr(
    quick_jit, 'cpu_options', lambda runs: asked.append(runs) or options(runs)
  )
  setting(disabled)
  double = quick_jit.quick_jit(lambda x: 2 * x, 'some')
  assert not asked  # no backend starts before the first call
  for _ in range(2):
    assert double(jnp.float32(3)) == 6
  assert asked == [level]
