"""The commands: `python -m launch.NAME`."""

import os

from . import _compilation_cache, _interrupts, _malloc

_interrupts.install()  # here, because the imports of a command take seconds
_malloc.keep_memory()
# Raw messages of XLA's C++, such as "Very slow compile?", tell a user nothing.
# Errors also raise exceptions; 0 to 2 show more.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
_compilation_cache.configure()  # before JAX is imported, which reads it then
