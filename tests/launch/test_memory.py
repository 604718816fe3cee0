"""Memory that a process gave back is its own to take again."""

import platform
import resource
import subprocess
import sys

import pytest

_AGAIN = """
import resource
import numpy as np
{keep}
def faults():
  return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(1 << 26, np.uint8)  # and freed
before = faults()
for _ in range(4):
  np.ones(1 << 26, np.uint8)
print(faults() - before)
"""


def _pages(keep):
  done = subprocess.run(
    [sys.executable, '-c', _AGAIN.format(keep=keep)],
    capture_output=True,
    text=True,
    check=True,
  )
  return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='needs glibc')
def test_large_memory_is_not_asked_for_again():
  huge = 4 * (1 << 26) // resource.getpagesize() // 512  # at least, if 2 MiB
  assert _pages('') >= huge
  assert _pages('from launch import _memory; _memory.keep()') < huge / 4
