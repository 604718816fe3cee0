"""The commands: `python -m launch.NAME`, run from the clone."""

import os

from launch import _interrupts

# Compiled programs are kept, so that a second run starts in a tenth of the
# time. Here, because JAX reads the variable when it is imported.
_CACHE = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
os.environ.setdefault(
  'JAX_COMPILATION_CACHE_DIR', os.path.join(_CACHE, 'flaxheads', 'jax')
)

_interrupts.install()  # here, because the imports of a command take seconds
