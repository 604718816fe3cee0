"""The commands: `python -m launch.NAME`, run from the clone."""

from launch import _interrupts, _memory, _programs

_interrupts.install()  # here, because the imports of a command take seconds
_memory.keep()
_programs.keep()  # here, because JAX reads the variable when it is imported
