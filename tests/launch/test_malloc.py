"""Memory that a process gave back is its own to take again."""

import platform
import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
  platform.libc_ver()[0] != 'glibc', reason='needs glibc'
)
_MODULE = Path(__file__).parents[2] / 'launch/_malloc.py'
_SIZE = 1 << 30  # bytes of what a step takes
_KEEP = f"""
import runpy
import resource
import numpy as np
memory = runpy.run_path({str(_MODULE)!r})
{{change}}
"""
_AGAIN = """
def faults():
  return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones({size}, np.uint8)  # and freed
before = faults()
for _ in range(4):
  np.ones({size}, np.uint8)
print(faults() - before)
"""
_BESIDE = """
kept = []
for _ in range(4):  # steps, each of which leaves something
  program, wall = np.ones({size}, np.uint8), np.ones(1 << 20, np.uint8)
  del program
  kept += [wall, np.ones(1 << 20, np.uint8)]
status = open('/proc/self/status').read()  # getrusage knows the parent's, too
print(int(status.split('VmHWM:')[1].split()[0]) * 1024)
"""


def _measure(script, change):
  code = _KEEP.format(change=change) + script.format(size=_SIZE)
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=True
  )
  return int(done.stdout)


def test_large_memory_is_not_asked_for_again():
  huge = 4 * _SIZE // resource.getpagesize() // 512  # at least, if 2 MiB
  assert _measure(_AGAIN, '') >= huge
  assert _measure(_AGAIN, "memory['keep_memory']()") < huge / 4


def test_what_a_step_leaves_lies_beside_its_memory():
  keep = "memory['keep_memory']()"
  assert _measure(_BESIDE, f"{keep}; memory['make_gaps']()") < 1.7 * _SIZE
  assert _measure(_BESIDE, keep) > 1.9 * _SIZE


def test_a_limit_on_memory_is_no_error():
  limit = 'resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))'
  change = f"{limit}; memory['keep_memory'](); memory['make_gaps']()"
  assert _measure('print(1 + 0 * {size})', change) == 1
