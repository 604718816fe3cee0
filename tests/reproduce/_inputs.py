"""Small well-made inputs for every command, from data to a person."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tests.reproduce import _commands as commands

TINY = (
  '--num_identities=3 --num_test_identities=1 --clips_per_identity=1'
  ' --num_frames=8 --num_test_frames=8 --image_size=64'
)


def make_inputs(folder: Path) -> None:
  """Makes what is not there yet of the folder.

  `data` (synthetic heads), `heads` (two clips of 12 frames), `run` (of
  configs/tiny.py), `model`, `person`, and the files of lpips_alex.
  """
  folder.mkdir(parents=True, exist_ok=True)
  for name, command in (
    ('data', f'prepare --dataset=synthetic_heads --data_dir={{}} {TINY}'),
    (
      'heads',
      'render_heads --num_identities=2 --num_frames=12 --image_size=128'
      ' --output={}',
    ),
    (
      'run',
      'train --config=configs/tiny.py'
      f' --config.data.data_dir={folder}/data --workdir={{}}',
    ),
    ('model', f'export --workdir={folder}/run --output={{}}'),
    (
      'person',
      f'finetune --model={folder}/model --source={folder}/heads/0000.mp4'
      ' --num_shots=2 --num_steps=1 --output={}',
    ),
  ):
    if not (folder / name).exists():
      part = folder / f'{name}.part'
      commands.run(command.format(part))
      part.rename(folder / name)
  _write_weights(folder)


def _write_weights(folder: Path) -> None:
  """Files such as torchvision and LPIPS publish, of noise."""
  rng = np.random.default_rng(0)
  channels = (64, 192, 384, 256, 256)
  backbone, heads, into = {}, {}, 3
  for i, place, count, side in zip(
    range(5), (0, 3, 6, 8, 10), channels, (11, 5, 3, 3, 3), strict=True
  ):
    backbone[f'features.{place}.weight'] = (count, into, side, side)
    backbone[f'features.{place}.bias'] = (count,)
    heads[f'lin{i}.model.1.weight'] = (1, count, 1, 1)
    into = count
  for name, shapes in (('backbone', backbone), ('heads', heads)):
    made = {k: rng.random(v, np.float32) for k, v in shapes.items()}
    save_file(made, folder / f'{name}.safetensors')
