"""Memory is kept for the next step instead of being given back after each.

XLA's CPU backend asks for the memory of a program at every run, gigabytes for a
step of training, and glibc returns what is so large to the system, which fills
each page with zeros before it hands it out again: a fifth of a step's time. One
arena, because only the first one can grow to such sizes.
"""

import ctypes
import platform

# Of malloc.h, for mallopt.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep() -> None:
  """Tells glibc, before other threads have asked for memory."""
  if platform.libc_ver()[0] != 'glibc':
    return
  mallopt = ctypes.CDLL(None).mallopt
  mallopt(_ARENA_MAX, 1)
  mallopt(_MMAP_MAX, 0)
  mallopt(_TRIM_THRESHOLD, -1)  # never
