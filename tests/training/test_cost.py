"""What an experiment costs is counted right, for devices that are not there."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from flaxheads import programs, xla_flags
from flaxheads.errors import UserError
from flaxheads.training import absent_devices, cost, parallel
from flaxheads.training.accelerators import find_chip
from flaxheads.training.gpu_targets import GPU_TARGETS
from tests import tiny_game


@pytest.fixture(scope='module', autouse=True)
def without_vggs():
  """The content networks of the paper take most of the time to compile."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(programs, '_CONTENT_NETWORKS', ())
    yield


@pytest.fixture(scope='module')
def config():
  config = tiny_game.make_config(batch_size=8, discriminator_updates=1)
  config.data.num_support = 1
  return config


@pytest.fixture(scope='module')
def figures(config):
  return programs.describe_on(config, parallel.make_mesh(8))


def test_every_device_does_its_part(config, figures):
  assert figures['num_devices'] == 8
  assert figures['samples_per_device'] == 1
  alone = programs.describe(config)
  # One sample a device: what one sample costs alone, and a little talk.
  assert figures['flops'] == pytest.approx(alone['flops_per_sample'], rel=0.02)
  assert figures['peak_memory_bytes'] > figures['state_bytes']
  params = tiny_game.make_params(config)
  assert alone['parameters'] == {
    name: sum(leaf.size for leaf in jax.tree.leaves(tree))
    for name, tree in params.items()
  }


def test_w_is_split_and_the_rest_is_not(config, figures):
  state = tiny_game.make_state(config)
  rest = jax.tree.leaves(state.replace(table=None))
  row = 2 * 4 * tiny_game.EMBEDDING_SIZE + 4
  rows = -(-programs.NUM_VIDEOS // 4096) * 4096
  wanted = sum(np.asarray(leaf).nbytes for leaf in rest) + row * rows // 8
  assert figures['state_bytes'] == wanted


_FIGURES = {
  'flops': 197e12 * 2,
  'bytes_accessed': 819e9 * 3,
  'peak_memory_bytes': 8 * 2**30,
  'state_bytes': 2**30,
  'samples_per_device': 4,
  'num_devices': 8,
}


def test_the_limit_is_the_slower_of_two():
  found = cost.limits(_FIGURES, find_chip('TPU v5 lite'))
  assert found == {
    'limit': 'bytes',
    'least_seconds': pytest.approx(3),
    'memory_left': pytest.approx(0.5),
  }


def test_what_does_not_fit_says_which_field_would(config):
  figures = _FIGURES | {'peak_memory_bytes': 29 * 2**30}
  found = cost.limits(figures, find_chip('TPU v5 lite'))
  assert found['memory_left'] == pytest.approx(1 - 29 / 16)
  # 13.4 GiB of 16 - 1.6 are left to the samples, which take 7 each.
  assert found['samples_that_fit'] == 1
  advice = cost.advise(config, figures | found)
  assert '--config.training.batch_size=8 should fit' in advice
  assert '--config.training.accumulation_steps=4' in advice
  none = figures | {'samples_that_fit': 0}
  assert '--config.model.image_size' in cost.advise(config, none)


def test_training_stops_before_a_step_that_does_not_fit(config, monkeypatch):
  class Compiled:
    """A program of 20 GB."""

    def memory_analysis(self):
      class Memory:
        argument_size_in_bytes = output_size_in_bytes = 4e9
        temp_size_in_bytes, alias_size_in_bytes = 16e9, 4e9

      return Memory()

  mesh = parallel.make_mesh(8)
  cost.check_fits(config, Compiled(), mesh, {})  # nobody knows a CPU's memory
  monkeypatch.setattr(parallel, 'chip', lambda _: find_chip('Tesla T4'))
  with pytest.raises(
    UserError, match=r'20 GB .* 16 GB: not .* --config\.model\.'
  ):
    cost.check_fits(config, Compiled(), mesh, {})
  monkeypatch.setattr(config.training, 'batch_size', 32)
  with pytest.raises(UserError, match=r'batch_size=16 should fit'):
    cost.check_fits(config, Compiled(), mesh, {})


def test_chips_are_told_apart():
  assert find_chip('TPU v5 lite').memory == 16 * 2**30
  assert find_chip('TPU v5p').memory == 95 * 2**30
  assert (
    find_chip('NVIDIA H200').flops > find_chip('NVIDIA A100-SXM4-80GB').flops
  )
  assert find_chip('cpu') is None


@pytest.mark.parametrize(
  ('topology', 'advice'),
  [
    ('v9:2x2', r"\(pip install 'jax\[tpu\]'\)|some are v5e:2x4, .*, h200:1, "),
    ('rtx:1', 'some are v5e:2x4, .*, h200:1, '),
    ('', 'some are v5e:2x4, .*, h200:1, '),
    ('h200', 'the number of GPUs, as in h200:8'),
    ('h200:0', 'the number of GPUs, as in h200:8'),
  ],
)
def test_an_unknown_topology_is_one_line(topology, advice):
  with pytest.raises(
    UserError, match=f'--topology={topology}: .*{advice}'
  ) as e:
    absent_devices.make_topology_mesh(topology)
  assert '\n' not in str(e.value)


def test_a_missing_plugin_is_named(monkeypatch):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  for topology, extra in (('t4:1', 'cuda12'), ('v5e:2x4', 'tpu')):
    with pytest.raises(UserError, match=rf"pip install 'jax\[{extra}\]'"):
      absent_devices.make_topology_mesh(topology)


def test_a_batch_that_does_not_split_is_refused(config):
  with pytest.raises(UserError, match='batch_size: 8 .* over 3 devices'):
    programs.describe_on(config, parallel.make_mesh(3))


def test_gpu_targets_have_the_memory_and_bandwidth_of_their_chip():
  for target in GPU_TARGETS.values():
    chip, text = find_chip(target.name), target.to_text()
    assert f'device_memory_size: {chip.memory:.0f}' in text
    assert f'memory_bandwidth: {chip.bandwidth:.0f}' in text


_SLOW_PASS = '--xla_disable_hlo_passes=triton-softmax-rewriter'
_NO_PRODUCTS = '--xla_gpu_enable_triton_gemm=false'


@pytest.mark.parametrize(
  ('plugin', 'given', 'wanted'),
  [
    (False, '', _SLOW_PASS),
    (True, '', f'{_SLOW_PASS} {_NO_PRODUCTS}'),
    (True, '--xla_a=1', f'--xla_a=1 {_SLOW_PASS} {_NO_PRODUCTS}'),
    (
      True,
      '--xla_disable_hlo_passes=dce',
      f'--xla_disable_hlo_passes=dce {_NO_PRODUCTS}',
    ),
    (
      True,
      '--xla_gpu_enable_triton_gemm=true',
      f'--xla_gpu_enable_triton_gemm=true {_SLOW_PASS}',
    ),
  ],
)
def test_triton_is_off_unless_the_user_decides(
  monkeypatch, plugin, given, wanted
):
  monkeypatch.setattr(xla_flags, 'has_cuda_plugin', lambda: plugin)
  monkeypatch.setenv('XLA_FLAGS', given)
  xla_flags.set_defaults()
  xla_flags.set_defaults()
  assert os.environ['XLA_FLAGS'] == wanted


def _run(variables, *arguments):
  """The output of a Python of its own."""
  return subprocess.run(
    [sys.executable, *arguments],
    env=os.environ | variables,
    stdout=subprocess.PIPE,
    text=True,
    check=True,
  ).stdout


def test_importing_the_package_sets_the_defaults():
  code = "import flaxheads, os; print(os.environ['XLA_FLAGS'])"
  assert _SLOW_PASS in _run({'XLA_FLAGS': ''}, '-c', code).split()


needs_cuda_plugin = pytest.mark.skipif(
  not xla_flags.has_cuda_plugin(),
  reason="needs JAX's CUDA plugin: pip install 'jax[cuda12]'; no GPU",
)


@needs_cuda_plugin
@pytest.mark.parametrize('given', ['', '--xla_disable_hlo_passes=none'])
def test_a_softmax_becomes_a_triton_fusion_only_if_wanted(given):
  code = """
from flaxheads.training import absent_devices, parallel
import jax
mesh = absent_devices.make_topology_mesh('h200:1')
x = jax.ShapeDtypeStruct((4, 64, 64, 64), 'float32')
x = parallel.describe_placed(x, mesh, parallel.REPLICATED)
def f(x):  # and a matrix product that Triton cannot compile
  return jax.image.resize(jax.nn.softmax(x), (4, 32, 32, 64), 'linear')
print('triton' in jax.jit(f).lower(x).compile().as_text())
"""
  variables = {'XLA_FLAGS': given, 'JAX_SKIP_CUDA_CONSTRAINTS_CHECK': '1'}
  assert _run(variables, '-c', code) == f'{bool(given)}\n'


@needs_cuda_plugin
@pytest.mark.parametrize('count', [1, 8])
def test_the_step_compiles_for_gpus(count):
  path = Path(__file__).parents[2] / 'configs/tiny.py'
  command = [
    *('-m', 'launch.compile', f'--config={path}', f'--topology=h200:{count}'),
    '--config.training.batch_size=8',
  ]
  figures = json.loads(_run({}, *command))
  assert figures['num_devices'] == count
  assert figures['samples_per_device'] == 8 / count
  assert bool(figures['collectives'].get('all-reduce')) == (count > 1)
  assert 0 < figures['state_bytes'] < figures['peak_memory_bytes']
