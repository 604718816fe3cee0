"""The commands: `python -m launch.NAME`."""

from . import _compilation_cache, _interrupts, _malloc

_interrupts.install()  # here, because the imports of a command take seconds
_malloc.keep_memory()
_compilation_cache.configure()  # before JAX is imported, which reads it then
