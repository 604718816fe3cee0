"""Memory is kept for the next step instead of being given back after each.

XLA's CPU backend asks for the memory of a program at every run, gigabytes for a
step of training, and glibc returns what is so large to the system, which fills
each page with zeros before it hands it out again: a fifth of a step's time. One
arena, because only the first one can grow to such sizes.

What a step leaves must not come to lie in the hole that its program's memory
left: that would not fit in again, and the process would grow to twice its size.
So commands that train make other holes for it, of address space alone until
they are used. No other command does: a limit on memory would not see them.
"""

import ctypes
import functools
import platform

# Of malloc.h, for mallopt.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_HOLES, _HOLE, _WALL = 64, 64 << 20, 1 << 20  # how many, bytes, bytes between


def keep() -> None:
  """Tells glibc, before other threads have asked for memory."""
  if platform.libc_ver()[0] != 'glibc':
    return
  mallopt = ctypes.CDLL(None).mallopt
  mallopt(_ARENA_MAX, 1)
  mallopt(_MMAP_MAX, 0)
  mallopt(_TRIM_THRESHOLD, -1)  # never


@functools.cache
def make_holes() -> None:
  """Once in a process, after `keep` and before there is much in memory."""
  if platform.libc_ver()[0] != 'glibc':
    return
  libc = ctypes.CDLL(None)
  libc.malloc.restype = ctypes.c_void_p
  libc.malloc.argtypes = (ctypes.c_size_t,)
  libc.free.argtypes = (ctypes.c_void_p,)
  holes = []
  while len(holes) < _HOLES and (hole := libc.malloc(_HOLE)):
    holes.append(hole)
    libc.malloc(_WALL)
  for hole in holes:
    libc.free(hole)
