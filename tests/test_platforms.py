"""A program has the form of the platform that it is traced for."""

import jax
import pytest

from flaxheads import platforms
from flaxheads.models import resampling
from tests.models import plain


@pytest.fixture(autouse=True)
def traced_form():
  """Nothing is set, as outside of tests."""
  with platforms.tracing_for(None):
    yield


@jax.jit
def _form(x):
  return platforms.choose(x, cpu=lambda x: x + 1, default=lambda x: x + 2)


def test_a_jitted_function_is_traced_anew_for_another_platform():
  assert _form(0) == 1
  with platforms.tracing_for('tpu'):
    assert _form(0) == 2
    with platforms.tracing_for('cpu'):
      assert _form(0) == 1
  assert _form(0) == 1


@pytest.mark.parametrize(
  'platform, convolutions', [('tpu', 1), ('gpu', 1), ('cpu', 4)]
)
def test_a_program_has_one_form_of_a_convolution(platform, convolutions):
  x, kernel = plain.normal(1, 8, 8, 4), plain.normal(3, 3, 4, 4)
  with platforms.tracing_for(platform):
    text = jax.jit(resampling.upsample_then_conv3x3).lower(x, kernel).as_text()
  assert text.count('stablehlo.convolution') == convolutions
