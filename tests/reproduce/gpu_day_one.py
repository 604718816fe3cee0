"""The first quarter of an hour on a machine with a GPU.

  make gpu-day-one                            # 8 minutes of training
  make gpu-day-one ARGS='--minutes=5 --data_dir=DATA'

1. One training step of configs/bilayer_128.py on the device and on the CPU, in
   float32: losses and parameters must agree. (On a CPU there is nothing to
   compare with.)
2. Trains that config for --minutes, beginning with the shipped model, with a
   checkpoint at least every minute, and exports the result. A later call
   resumes the run.
3. Times training step, fine-tuning and animation (launch.benchmark), beside the
   PyTorch reference implementation where torch is installed.

OUTPUT/report.json has what is known after each part. Without --data_dir heads
are rendered first; a --data_dir may hold 60 MB, which travel in seconds. --tiny
runs all of it within minutes on a CPU; its figures mean nothing. Not yet run on
a GPU.
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

from configs import bilayer_128, bilayer_tiny
from flaxheads.errors import UserError
from flaxheads.fewshot.model import shipped_model
from launch import app
from tests.reproduce import _commands as commands

_MINUTES = flags.DEFINE_float('minutes', 8, 'Of training.', lower_bound=0)
_DATA = flags.DEFINE_string(
  'data_dir', None, 'Prepared heads; default: renders synthetic_heads.'
)
_DATASET = flags.DEFINE_string('dataset', 'synthetic_heads', 'In --data_dir.')
_LPIPS = flags.DEFINE_string('lpips_alex', '', 'Weights of LPIPS (AlexNet).')
_OUTPUT = flags.DEFINE_string('output', 'out/gpu_day_one', 'Folder.')
_TINY = flags.DEFINE_bool('tiny', False, 'The smallest size of everything.')

# Of the largest entry of each array: a device's convolutions round otherwise.
_TOLERANCE = 1e-3
_TIMED_STEPS = 5
_CHECKPOINT_SECONDS = 60
_MOST_BYTES = 60e6  # of records that are given
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


def _config():
  return bilayer_tiny.get_config() if _TINY.value else bilayer_128.get_config()


def _run_step(config, device):
  """A float32 step on a device: (metrics, parameters), seconds of a step."""
  import jax

  from flaxheads import bilayer_networks as nets
  from flaxheads import platforms
  from flaxheads.training import compilation, parallel
  from flaxheads.training.bilayer_losses import load_perceptual
  from flaxheads.training.bilayer_step import make_train_step
  from tests import tiny_bilayer

  networks, content = nets.build_networks(config.model), load_perceptual(config)
  mesh = parallel.mesh_of([device])
  with (
    jax.default_device(device),
    jax.default_matmul_precision('highest'),
    platforms.tracing_for(device.platform),
  ):
    state, batch, constants = parallel.place(
      (
        tiny_bilayer.make_state(config),
        tiny_bilayer.make_batch(config, config.training.batch_size),
        content.params,
      ),
      mesh,
      parallel.REPLICATED,
    )
    step = make_train_step(config, networks, content, mesh)
    step, _ = compilation.compile_for(step, (state, batch, constants), 1)
    state, metrics = step(state, batch, constants)
    first = jax.device_get((metrics, state.params))
    began = time.monotonic()
    for _ in range(_TIMED_STEPS):
      state, _ = step(state, batch, constants)
    jax.block_until_ready(state)
    return first, (time.monotonic() - began) / _TIMED_STEPS


def _agreement() -> dict:
  """A step on the first device and on the CPU: largest differences, seconds.

  Differences are None where the CPU is the first device.
  """
  import jax

  config = _config()
  config.perceptual.lpips_alex = _LPIPS.value
  device, cpu = jax.devices()[0], jax.devices('cpu')[0]
  found, seconds = _run_step(config, device)
  same = None, None
  if device != cpu:
    wanted, _ = _run_step(config, cpu)
    same = map(_largest_difference, found, wanted)
  metrics, parameters = same
  return {
    'metrics': metrics,
    'parameters': parameters,
    'float32_step_seconds': seconds,
  }


def _prepare(folder: Path) -> Path:
  """The folder of the records, rendered if none is given."""
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
  commands.run(
    f'prepare --dataset=synthetic_heads --data_dir={folder / "data"} '
    f'--num_identities={people} --num_test_identities=2 '
    f'--clips_per_identity=1 --num_frames={frames} --num_test_frames={frames} '
    f'--fps=4 --image_size={_config().model.image_size}'
  )
  return folder / 'data'


def _checkpoint_gap(run: Path) -> float | None:
  """Seconds between two checkpoints of a run; None where too few steps were."""
  lines = (run / 'metrics.jsonl').read_text().splitlines()
  speeds = [json.loads(line).get('samples_per_second') for line in lines]
  speeds = [speed for speed in speeds if speed]
  training = json.loads((run / 'config.json').read_text())['training']
  samples = training['checkpoint_every'] * training['batch_size']
  return samples / float(np.median(speeds)) if speeds else None


def _train(folder: Path, data: Path, step_seconds: float) -> dict:
  """Trains for the time given; SIGINT saves a last checkpoint."""
  name, run = 'bilayer_tiny' if _TINY.value else 'bilayer_128', folder / 'run'
  command = [
    *(sys.executable, '-m', 'launch.train', f'--config=configs/{name}.py'),
    f'--config.data.dataset={_DATASET.value}',
    f'--config.data.data_dir={data}',
    f'--config.perceptual.lpips_alex={_LPIPS.value}',
    f'--init_from={shipped_model()}',
    f'--workdir={run}',
  ]
  if not _TINY.value:  # whose run is shorter than a minute
    # In float32 at the highest precision a step takes longer than in training.
    every = max(1, round(_CHECKPOINT_SECONDS / step_seconds))
    command += [
      f'--config.training.checkpoint_every={every}',
      f'--config.training.sample_every={every}',
      f'--config.training.log_every={max(1, every // 10)}',
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
  commands.run(f'export --workdir={run} --output={folder}/model')
  model = json.loads((folder / 'model' / 'model.json').read_text())
  start = json.loads((run / 'init_from.json').read_text())
  return {
    'seconds': round(seconds, 1),
    'step': model['info']['step'],
    'seconds_between_checkpoints': _checkpoint_gap(run),
    'tensors_of_the_shipped_model': len(start['taken']),
  }


def _benchmark(folder: Path) -> dict:
  size = 'tiny --repeats=1' if _TINY.value else 'gpu'
  commands.run(
    f'benchmark --size={size} --suites=meta_train,finetune,animate '
    f'--output={folder}/benchmark'
  )
  return json.loads((folder / 'benchmark' / 'report.json').read_text())


def main():
  """Runs the parts in order and saves the report after each."""
  import jax

  folder = Path(_OUTPUT.value).expanduser()
  folder.mkdir(parents=True, exist_ok=True)
  report = {
    'device': jax.devices()[0].device_kind,
    'date': datetime.date.today().isoformat(),
    'jax': jax.__version__,
  }

  def add(part, found):
    report[part] = found
    (folder / 'report.json').write_text(json.dumps(report, indent=2))
    return found

  agreement = add('agreement', _agreement())
  seconds = agreement['float32_step_seconds']
  training = add('training', _train(folder, _prepare(folder), seconds))
  add('benchmark', _benchmark(folder))
  checks = [(f'{training["step"]} steps, exported', training['step'] > 0)]
  gap = training['seconds_between_checkpoints']
  if gap is not None and not _TINY.value:
    most = _CHECKPOINT_SECONDS
    checks.append((f'a checkpoint every {gap:.1f} s, of {most}', gap <= most))
  if agreement['metrics'] is not None:
    difference = max(agreement['metrics'], agreement['parameters'])
    what = f'device and CPU agree to {difference:.1e} of {_TOLERANCE:g}'
    checks.append((what, difference <= _TOLERANCE))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
