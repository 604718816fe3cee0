"""A run killed at twenty random moments ends as the one that was not.

Trains the tiny experiment for 60 steps with shuffling and augmentation, then
again, killed with SIGKILL over and over: at random moments, and five times
while a checkpoint is being written. Every loss of every step and the final
state must be bit-identical on the same devices.
"""

import random
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from tensorboardX.proto.event_pb2 import Event
from tqdm import tqdm

from configs import tiny
from flaxheads import networks as nets
from flaxheads.training import parallel
from flaxheads.training.checkpoints import Checkpoints
from flaxheads.training.state import describe_state
from launch import app
from tests.reproduce import _commands as commands

_FOLDER = Path('out/reproduce/kills')
_NUM_STEPS, _NUM_KILLS, _IN_A_SAVE, _NUM_VIDEOS = 60, 20, 5, 8
_FURTHEST = 4  # steps beyond what was reached, before a kill


def _command(workdir: Path) -> list[str]:
  return [
    sys.executable,
    '-m',
    'launch.train',
    '--config=configs/tiny.py',
    f'--workdir={workdir}',
    f'--config.data.data_dir={_FOLDER}/data',
    f'--config.training.num_steps={_NUM_STEPS}',
    '--config.training.checkpoint_every=3',
    '--config.training.sample_every=1000',
  ]


def _logged(workdir: Path) -> int:
  """The last step that wrote its losses."""
  return max((step for step, _ in _read_losses(workdir)), default=0)


def _read_losses(workdir: Path) -> dict[tuple[int, str], set[float]]:
  """What was logged: (step, term) -> values, one unless a resume differed."""
  losses = {}
  for path in sorted((workdir / 'tensorboard').glob('*')):
    data, at = path.read_bytes(), 0
    while at + 12 <= len(data):  # length, its CRC, the event, its CRC
      (length,) = struct.unpack_from('<Q', data, at)
      if at + 16 + length > len(data):
        break  # torn by a kill
      event = Event.FromString(data[at + 12 : at + 12 + length])
      for value in event.summary.value:
        if value.tag.startswith(('generator/', 'discriminator/', 'norms/')):
          key = (event.step, value.tag)
          losses.setdefault(key, set()).add(value.simple_value)
      at += 16 + length
  return losses


def _is_saving(workdir: Path) -> bool:
  return any((workdir / 'checkpoints').glob('*tmp*'))


def _run_and_kill(workdir: Path, in_a_save: bool, rng) -> str:
  """Starts a run and kills it; says when, or 'ended' where it was quicker."""
  before = _logged(workdir)
  process = subprocess.Popen(
    _command(workdir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
  )
  try:
    until = before + rng.randint(1, _FURTHEST)
    while process.poll() is None:
      saving = _is_saving(workdir) and _logged(workdir) > before
      if saving if in_a_save else _logged(workdir) >= until:
        if not in_a_save:
          time.sleep(rng.uniform(0, 0.2))
        process.kill()
        process.wait()
        saving = _is_saving(workdir)
        return f'step {_logged(workdir)}{", in a save" if saving else ""}'
      time.sleep(0.005)
  finally:
    process.kill()
    process.wait()
  return 'ended'


def _final_state(workdir: Path):
  config = tiny.get_config()
  networks = nets.build_networks(config.model)
  mesh = parallel.make_mesh(1)
  reader = Checkpoints(str(workdir))
  try:
    like = describe_state(config, networks, _NUM_VIDEOS, mesh)
    return reader.restore(like, lambda facts: None)
  finally:
    reader.close()


def _differences(ours, theirs) -> int:
  import jax  # the states' own library

  return sum(
    not np.array_equal(a, b)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True)
  )


def main():
  """Trains twice, kills one of them, compares."""
  shutil.rmtree(_FOLDER, ignore_errors=True)
  commands.run(
    f'prepare --dataset=synthetic_heads --data_dir={_FOLDER}/data '
    f'--num_identities={_NUM_VIDEOS} --num_test_identities=0 '
    '--clips_per_identity=1 --num_frames=6 --image_size=64'
  )
  whole, killed = _FOLDER / 'whole', _FOLDER / 'killed'
  subprocess.run(_command(whole), check=True)
  rng, kills = random.Random(0), []
  bar = tqdm(total=_NUM_KILLS, desc='kills')
  while len(kills) < _NUM_KILLS:
    when = _run_and_kill(killed, len(kills) % 4 == 3, rng)
    if when == 'ended':  # begin again, the comparison is of the last run
      shutil.rmtree(killed)
      continue
    kills.append(when)
    bar.update()
  bar.close()
  subprocess.run(_command(killed), check=True)
  in_a_save = sum('in a save' in when for when in kills)
  print('killed at', '; '.join(kills))
  ours, theirs = _read_losses(whole), _read_losses(killed)
  wrong = [key for key in ours if theirs.get(key) != ours[key]]
  first, second = _final_state(whole), _final_state(killed)
  commands.conclude(
    [
      (f'{len(kills)} kills, {in_a_save} in a save', in_a_save >= _IN_A_SAVE),
      (
        f'{len(ours)} losses of {_NUM_STEPS} steps, {len(wrong)} differ',
        len(ours) >= _NUM_STEPS and not wrong,
      ),
      (
        f'final states of steps {first.step} and {second.step}: '
        f'{_differences(first.state, second.state)} leaves differ',
        first.step == second.step == _NUM_STEPS
        and not _differences(first.state, second.state),
      ),
    ]
  )


if __name__ == '__main__':
  app.run(main)
