"""What all tests share: eight simulated devices, quick compiles, real footage.

The devices are simulated for this process alone: what a test starts as a
process of its own sees a plain machine with one CPU device.

Most of what the tests compile runs once, so that XLA compiles it in a third of
the time here, to slower programs, also in what a test starts. The demo and
the reproduction scripts run what users get.
"""

import os
import pathlib
import tempfile

import pytest
from absl import flags

ROOT = pathlib.Path(__file__).resolve().parent.parent
NUM_DEVICES = 8


def _simulate_devices():
  # XLA reads the variable when its backend starts, so it starts here, and the
  # variable goes back to what it was.
  before = os.environ['XLA_FLAGS']
  count = f'--xla_force_host_platform_device_count={NUM_DEVICES}'
  os.environ['XLA_FLAGS'] = f'{before} {count}'
  import jax  # late: it must see the variable

  assert jax.device_count() == NUM_DEVICES, jax.devices()
  os.environ['XLA_FLAGS'] = before


# Threads of OpenBLAS wait by spinning: with two test processes on two cores a
# small matrix takes a thousand times as long as alone.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
os.environ.setdefault('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')
_PLAIN_FUSIONS = '--xla_cpu_use_fusion_emitters=false'
os.environ['XLA_FLAGS'] = f'{os.environ.get("XLA_FLAGS", "")} {_PLAIN_FUSIONS}'
# Compiled programs outlive a run of the tests: the second run is the quick one.
os.environ.setdefault('JAX_COMPILATION_CACHE_DIR', str(ROOT / '.jax_cache'))
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.2')
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
# No test signs with the key of whoever runs it.
_HOME = tempfile.TemporaryDirectory(prefix='flaxheads-home-')
os.environ['FLAXHEADS_HOME'] = os.path.join(_HOME.name, 'home')
# Nor is any measured with the weights that were fetched here, but those of
# tests/weights/test_fetched.py. A worker of pytest-xdist inherits both.
os.environ.setdefault(
  'FLAXHEADS_FETCHED_WEIGHTS', os.environ.get('FLAXHEADS_WEIGHTS', '')
)
os.environ['FLAXHEADS_WEIGHTS'] = os.path.join(_HOME.name, 'weights')
_simulate_devices()
flags.FLAGS.mark_as_parsed()  # grain reads flags, and pytest parses none


@pytest.fixture(scope='module')
def fast_programs():
  """Compiles a module's programs as users get them: for those run for long."""
  import jax

  name = 'jax_disable_most_optimizations'
  before = jax.config.values[name]
  jax.config.update(name, False)
  os.environ[name.upper()] = '0'  # for what a test starts
  yield
  jax.config.update(name, before)
  os.environ[name.upper()] = str(int(before))


@pytest.fixture(scope='module', autouse=True)
def traced_form(request):
  """Traces the forms for accelerators, which compile in half of the time.

  tests/models, which compares all forms, and tests/parity trace those for CPUs.
  """
  from flaxheads import platforms

  of_cpu = request.module.__name__.startswith(('tests.models', 'tests.parity'))
  with platforms.tracing_for('cpu' if of_cpu else 'gpu'):
    yield


@pytest.fixture(scope='module', autouse=True)
def forget_programs():
  """Programs are dropped after a module: all of them would take 10 GB."""
  yield
  import jax

  jax.clear_caches()


@pytest.fixture(scope='session')
def real_clips() -> pathlib.Path:
  """The folder of real footage, with clips/ and portraits/; else a skip."""
  folder = os.environ.get('FLAXHEADS_REAL_CLIPS', '')
  if not folder:
    pytest.skip('FLAXHEADS_REAL_CLIPS names no folder of real footage')
  path = pathlib.Path(folder)
  assert (path / 'clips').is_dir(), f'FLAXHEADS_REAL_CLIPS: no {path}/clips'
  return path
