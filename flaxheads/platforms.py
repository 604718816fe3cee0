"""Which of several exact forms of an operation a program gets.

An operation may have a form for CPUs and another for accelerators. Both give
the same result; a wrong choice costs time alone. `jax.lax.platform_dependent`
would trace all of them for every program, which doubles the time to trace a
training step.
"""

import contextlib
from collections.abc import Callable

import jax

# Part of the key of jax.jit's cache: another platform is traced anew.
_platform = jax.make_user_context(default_value=None)


def tracing_for(platform: str | None) -> contextlib.AbstractContextManager:
  """Traces programs in the forms for these devices.

  Args:
    platform: as of `jax.Device.platform`: 'cpu', 'gpu' or 'tpu'; None: JAX's
      default.
  """
  return _platform(platform)


def choose(*arguments, default: Callable, **forms: Callable):
  """Calls the form for the platform that is traced for.

  That is JAX's default platform outside of `tracing_for`.

  Args:
    *arguments: of the form.
    default: the form for platforms that `forms` does not name.
    **forms: functions by platform.

  Returns:
    What the form returns.
  """
  platform = _platform.value or jax.default_backend()
  return forms.get(platform, default)(*arguments)
