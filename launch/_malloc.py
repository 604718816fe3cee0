"""Settings of glibc's malloc that keep memory from one step to the next.

XLA's CPU backend allocates a program's memory at every run: gigabytes for a
training step. By default glibc returns such large blocks to the system, which
fills each page with zeros before it hands it out again: a fifth of a step's
time. There is one arena, because only the first can grow to such sizes.

The results of a step must not be placed in the gap that its program's memory
left: the memory would no longer fit, and the process would grow to twice its
size. So commands that train make other gaps for them, which are only address
space until they are used. No other command does, because a limit on memory
would not allow for them.
"""

import ctypes
import functools
import platform

# Of malloc.h, for mallopt.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_HOLES, _HOLE, _WALL = 64, 64 << 20, 1 << 20  # how many, bytes, bytes between


def keep_memory() -> None:
  """Tells glibc, before other threads have asked for memory."""
  if platform.libc_ver()[0] != 'glibc':
    return
  mallopt = ctypes.CDLL(None).mallopt
  mallopt(_ARENA_MAX, 1)
  mallopt(_MMAP_MAX, 0)
  mallopt(_TRIM_THRESHOLD, -1)  # never


@functools.cache
def make_holes() -> None:
  """Makes the gaps, once; after `keep_memory`, before memory fills."""
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
