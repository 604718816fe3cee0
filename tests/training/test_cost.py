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

from flaxheads import xla_flags
from flaxheads.errors import UserError
from flaxheads.training import cost, parallel
from flaxheads.training.accelerators import find_chip
from flaxheads.training.gpu_targets import GPU_TARGETS
from tests import tiny_game


@pytest.fixture(scope='module')
def config():
  config = tiny_game.make_config(batch_size=8, discriminator_updates=1)
  config.data.num_support = 1
  return config


@pytest.fixture(scope='module')
def figures(config):
  return cost.describe_on(config, parallel.make_mesh(8))


def test_every_device_does_its_part(config, figures):
  assert figures['num_devices'] == 8
  assert figures['samples_per_device'] == 1
  alone = cost.describe(config)
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
  rows = -(-cost.NUM_VIDEOS // 4096) * 4096
  wanted = sum(np.asarray(leaf).nbytes for leaf in rest) + row * rows // 8
  assert figures['state_bytes'] == wanted


def test_the_limit_is_the_slower_of_two(config, figures, monkeypatch):
  class Program:
    """What a traced function offers, and what comes of it."""

    def lower(self, **_):
      return self

    def compile(self):
      return self

    def cost_analysis(self):
      return {'flops': 197e12 * 2, 'bytes accessed': 819e9 * 3}

    def as_text(self):
      return 'ENTRY %main () -> f32[] {\n  %a = f32[8]{0} add()\n}\n'

    def memory_analysis(self):
      class Memory:
        argument_size_in_bytes = output_size_in_bytes = 4 * 2**30
        temp_size_in_bytes = 4 * 2**30
        alias_size_in_bytes = 4 * 2**30

      return Memory()

  monkeypatch.setattr(cost, '_trace', lambda *_: ({}, Program()))
  monkeypatch.setattr(parallel, 'chip', lambda _: find_chip('TPU v5 lite'))
  found = cost.describe_on(config, parallel.make_mesh(8))
  assert found['limit'] == 'bytes'
  assert found['hbm_bytes'] == 32
  assert found['least_step_seconds'] == pytest.approx(3)
  assert found['memory_left'] == pytest.approx(0.5)
  steps = 75 * cost.NUM_VIDEOS / 8
  assert found['least_hours_of_75_epochs'] == pytest.approx(steps * 3 / 3600)


def test_chips_are_told_apart():
  assert find_chip('TPU v5 lite').memory == 16 * 2**30
  assert find_chip('TPU v5p').memory == 95 * 2**30
  assert (
    find_chip('NVIDIA H200').flops > find_chip('NVIDIA A100-SXM4-80GB').flops
  )
  assert find_chip('cpu') is None


@pytest.mark.parametrize('topology', ['v9:2x2', 'nonsense', '', 'h200:x'])
def test_an_unknown_topology_is_one_line(topology):
  with pytest.raises(UserError, match='--topology=') as caught:
    parallel.make_topology_mesh(topology)
  assert '\n' not in str(caught.value)


def test_gpu_targets_have_a_chip_of_the_same_memory_and_bandwidth():
  for target in GPU_TARGETS.values():
    chip = find_chip(target.name)
    assert chip is not None, target.name
    assert chip.memory == target.memory
    assert chip.bandwidth == pytest.approx(target.bandwidth, rel=0.06)


def test_the_slow_pass_is_off_unless_the_user_decides(monkeypatch):
  monkeypatch.setenv('XLA_FLAGS', '--xla_a=1')
  xla_flags.set_defaults()
  xla_flags.set_defaults()
  assert os.environ['XLA_FLAGS'] == (
    '--xla_a=1 --xla_disable_hlo_passes=triton-softmax-rewriter'
  )
  monkeypatch.setenv('XLA_FLAGS', '--xla_disable_hlo_passes=dce')
  xla_flags.set_defaults()
  assert os.environ['XLA_FLAGS'] == '--xla_disable_hlo_passes=dce'


@pytest.mark.skipif(
  importlib.util.find_spec('jax_cuda12_plugin') is None,
  reason="needs JAX's CUDA plugin: pip install 'jax[cuda12]'; no GPU",
)
@pytest.mark.parametrize('count', [1, 8])
def test_the_step_compiles_for_gpus(count):
  path = Path(__file__).parents[2] / 'configs/tiny.py'
  command = [
    *(sys.executable, '-m', 'launch.compile', f'--config={path}'),
    f'--topology=h200:{count}',
    '--config.training.batch_size=8',
  ]
  done = subprocess.run(command, capture_output=True, text=True, check=True)
  figures = json.loads(done.stdout)
  assert figures['num_devices'] == count
  assert figures['samples_per_device'] == 8 / count
  assert bool(figures['collectives'].get('all-reduce')) == (count > 1)
  assert 0 < figures['state_bytes'] < figures['peak_memory_bytes']
