"""Convolutions in the form of accelerators, on CPUs as well.

On CPUs a convolution is many small products, and what depends on the platform
is traced for every platform: a training step takes twice as long to trace as
with one form alone. Tests that compare a program with itself, on other devices
or after resuming, take one form. tests/models compares each form with the plain
definition; commands that are started as processes have a CPU's.

  python -m tests.one_form launch.train ARGUMENTS
"""

import contextlib
import importlib
import runpy
import sys


def _default(*arguments, default, **of_platforms):
  del of_platforms
  return default(*arguments)


@contextlib.contextmanager
def use():
  """Whatever is traced within has the default form of every platform."""
  import jax

  before = jax.lax.platform_dependent
  jax.lax.platform_dependent = _default
  try:
    yield
  finally:
    jax.lax.platform_dependent = before


if __name__ == '__main__':
  del sys.argv[0]
  importlib.import_module('launch')  # before JAX, which reads what it sets
  with use():
    runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
