"""Settings of glibc's malloc that keep memory from one step to the next.

XLA's CPU backend allocates a program's memory at every run: gigabytes for a
training step. By default glibc returns such large blocks to the system, which
fills each page with zeros before it hands it out again: a fifth of a step's
time. One arena is used, because only the first can grow to such sizes.

The results of a step must not be placed in the gap that its program's memory
left: the memory would no longer fit, and the process would grow to twice its
size. So commands that train make other gaps for the results, which are only
address space until they are used. Other commands do not, because a limit on
memory may forbid the gaps.
"""

import ctypes
import functools
import platform

# Of malloc.h, for mallopt.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
_NUM_GAPS, _GAP, _BETWEEN = 64, 64 << 20, 1 << 20  # number, bytes, bytes


def keep_memory() -> None:
  """Configures glibc; call it before other threads allocate memory."""
  if platform.libc_ver()[0] != 'glibc':
    return
  mallopt = ctypes.CDLL(None).mallopt
  mallopt(_ARENA_MAX, 1)
  mallopt(_MMAP_MAX, 0)
  mallopt(_TRIM_THRESHOLD, -1)  # never


@functools.cache
def make_gaps() -> None:
  """Makes the gaps, once; after `keep_memory`, before memory fills."""
  if platform.libc_ver()[0] != 'glibc':
    return
  libc = ctypes.CDLL(None)
  libc.malloc.restype = ctypes.c_void_p
  libc.malloc.argtypes = (ctypes.c_size_t,)
  libc.free.argtypes = (ctypes.c_void_p,)
  gaps = []
  while len(gaps) < _NUM_GAPS and (gap := libc.malloc(_GAP)):
    gaps.append(gap)
    libc.malloc(_BETWEEN)
  for gap in gaps:
    libc.free(gap)
