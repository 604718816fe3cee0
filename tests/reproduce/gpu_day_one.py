"""A first quarter of an hour on a machine with a GPU: agreement, model, times.

  make gpu-day-one                            # 12 minutes of training
  make gpu-day-one ARGS='--minutes=5 --data_dir=DATA'

1. One step of the bi-layer generator on the device and on the CPU, float32:
   losses and parameters must agree.
2. Trains configs/bilayer_128.py for --minutes, beginning with the shipped
   model, with a checkpoint every --checkpoint_every steps, and exports the
   result. A later call resumes the run.
3. Times step, fine-tuning and animation (launch.benchmark), beside the PyTorch
   reference implementation where torch is installed.

Everything that is known so far is in out/gpu_day_one/report.json after each
part. Without --data_dir heads are rendered first. --tiny runs it all in minutes
on a CPU, for figures without meaning. Not yet run on a GPU.
"""

import datetime
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from absl import flags

from flaxheads.errors import UserError
from flaxheads.fewshot.model import shipped_model
from launch import app
from tests.reproduce import _commands as commands

_MINUTES = flags.DEFINE_float('minutes', 12, 'Of training.', lower_bound=0)
_DATA = flags.DEFINE_string(
  'data_dir', None, 'Prepared heads; default: renders synthetic_heads.'
)
_DATASET = flags.DEFINE_string('dataset', 'synthetic_heads', 'In --data_dir.')
_LPIPS = flags.DEFINE_string('lpips_alex', '', 'Weights of LPIPS (AlexNet).')
_CHECKPOINT = flags.DEFINE_integer('checkpoint_every', 1000, 'Steps.')
_TINY = flags.DEFINE_bool('tiny', False, 'The smallest size of everything.')

_FOLDER = Path('out/gpu_day_one')
# Of the largest entry of each array: a device's convolutions round otherwise.
_TOLERANCE = 1e-3
_MOST_BYTES = 60e6  # of given records, which travel in seconds
_GRACE = 300  # seconds for the last checkpoint
_INTERRUPTED = 130


def _largest_difference(first, second) -> float:
  """Between two trees, as a share of the largest entry of each array."""
  import jax

  return max(
    float(np.abs(np.float64(a) - np.float64(b)).max())
    / max(float(np.abs(np.float64(b)).max()), 1e-3)
    for a, b in zip(
      jax.tree.leaves(first), jax.tree.leaves(second), strict=True
    )
  )


def _agreement() -> dict:
  """A step on the first device and on the CPU: the largest differences."""
  import jax

  from flaxheads import bilayer_networks as nets
  from flaxheads.training import parallel
  from flaxheads.training.bilayer_losses import load_perceptual
  from flaxheads.training.bilayer_step import make_train_step
  from tests import tiny_bilayer

  config = tiny_bilayer.make_config()
  networks = nets.build_networks(config.model)
  perceptual = load_perceptual(config)
  results = []
  for device in (jax.devices()[0], jax.devices('cpu')[0]):
    mesh = jax.sharding.Mesh(np.array([device]), (parallel.AXIS,))
    step = make_train_step(config, networks, perceptual, mesh)
    with jax.default_device(device), jax.default_matmul_precision('highest'):
      state = tiny_bilayer.make_state(config)
      batch = tiny_bilayer.make_batch(config, 2)
      state, metrics = step(state, batch, perceptual.params)
      results.append(jax.device_get((metrics, state.params)))
  (metrics, params), (cpu_metrics, cpu_params) = results
  return {
    'metrics': _largest_difference(metrics, cpu_metrics),
    'parameters': _largest_difference(params, cpu_params),
  }


def _prepare() -> Path:
  if _DATA.value:
    data = Path(_DATA.value).expanduser()
    size = sum(f.stat().st_size for f in data.rglob('*') if f.is_file())
    if size > _MOST_BYTES:
      raise UserError(
        f'--data_dir={data}: {size / 1e6:.0f} MB; at most '
        f'{_MOST_BYTES / 1e6:.0f} MB of records are wanted'
      )
    return data
  people, frames = (2, 4) if _TINY.value else (300, 16)
  folder = _FOLDER / 'data'
  size = 64 if _TINY.value else 128
  commands.run(
    f'prepare --dataset=synthetic_heads --data_dir={folder} '
    f'--num_identities={people} --num_test_identities=2 '
    f'--clips_per_identity=1 --num_frames={frames} --num_test_frames={frames} '
    f'--fps=4 --image_size={size}'
  )
  return folder


def _train(data: Path) -> dict:
  """Trains for the time given; SIGINT saves a checkpoint."""
  name = 'bilayer_tiny' if _TINY.value else 'bilayer_128'
  command = [
    *(sys.executable, '-m', 'launch.train', f'--config=configs/{name}.py'),
    f'--config.data.dataset={_DATASET.value}',
    f'--config.data.data_dir={data}',
    f'--config.perceptual.lpips_alex={_LPIPS.value}',
    f'--workdir={_FOLDER / "run"}',
  ]
  if not _TINY.value:
    command += [
      f'--init_from={shipped_model()}',
      f'--config.training.checkpoint_every={_CHECKPOINT.value}',
      '--config.training.sample_every=1000',
      '--config.training.log_every=100',
    ]
  print('$', *command, flush=True)
  began = time.monotonic()
  training = subprocess.Popen(command)
  try:
    code = training.wait(None if _TINY.value else 60 * _MINUTES.value)
  except subprocess.TimeoutExpired:
    training.send_signal(signal.SIGINT)
    code = training.wait(_GRACE)
  if code not in (app.DONE, _INTERRUPTED):
    raise SystemExit(app.FAILED)
  seconds = time.monotonic() - began
  commands.run(f'export --workdir={_FOLDER / "run"} --output={_FOLDER}/model')
  model = json.loads((_FOLDER / 'model' / 'model.json').read_text())
  return {'seconds': round(seconds, 1), 'step': model['info']['step']}


def _benchmark() -> dict:
  size = '--size=tiny --repeats=1' if _TINY.value else '--size=gpu'
  commands.run(
    f'benchmark {size} --suites=meta_train,finetune,animate '
    f'--output={_FOLDER}/benchmark'
  )
  return json.loads((_FOLDER / 'benchmark' / 'report.json').read_text())


def _save(report: dict) -> None:
  (_FOLDER / 'report.json').write_text(json.dumps(report, indent=2))


def main():
  """Runs the parts in order and keeps what each found."""
  import jax

  _FOLDER.mkdir(parents=True, exist_ok=True)
  report = {
    'device': jax.devices()[0].device_kind,
    'date': datetime.date.today().isoformat(),
    'jax': jax.__version__,
    'agreement': _agreement(),
  }
  _save(report)
  report['training'] = _train(_prepare())
  _save(report)
  report['benchmark'] = _benchmark()
  _save(report)
  difference = max(report['agreement'].values())
  commands.conclude(
    [
      (
        f'device and CPU agree to {difference:.1e} ({_TOLERANCE:g} allowed)',
        difference <= _TOLERANCE,
      ),
      (
        f'{report["training"]["step"]} steps, exported',
        report['training']['step'] > 0,
      ),
    ]
  )


if __name__ == '__main__':
  app.run(main)
