"""XLA's settings for every program, to be applied before its backend starts.

XLA for GPUs turns normalisations into Triton fusions whose tilings it then
searches: the training step of configs/tiny.py did not compile in six minutes
that way, and takes 45 s without (jaxlib 0.10.2, two CPU cores, 2026-11-29). The
pass does not exist on other devices, where the flag does nothing.
"""

import os

_DISABLE = '--xla_disable_hlo_passes'
_SLOW_PASS = 'triton-softmax-rewriter'


def set_defaults() -> None:
  """Adds to XLA_FLAGS what the user has not decided there."""
  given = os.environ.get('XLA_FLAGS', '')
  if _DISABLE not in given:
    os.environ['XLA_FLAGS'] = f'{given} {_DISABLE}={_SLOW_PASS}'.strip()
