"""Returns the memory of a visit to the system."""

import ctypes
import gc
import platform

import jax


def free(programs: bool) -> None:
  """Gives back what nothing uses.

  Args:
    programs: whether to drop compiled programs as well. Each size of photograph
      has some, 10 MB in all; those of all visitors come back from the
      compilation cache, if there is one, in a second.
  """
  if programs:
    jax.clear_caches()
  gc.collect()
  if platform.libc_ver()[0] == 'glibc':  # else it keeps a fifth of the memory
    ctypes.CDLL(None).malloc_trim(0)
