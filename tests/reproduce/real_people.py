"""On six real people never seen, fine-tuning beats the nearest frame.

Needs FLAXHEADS_REAL_CLIPS, a folder with clips/ and portraits/. Trains a 64²
model on all clips but six, for about an hour and a half on two CPU cores, and
evaluates these six: first half of the clip as support, second half as test.
Wanted at T = 8: PSNR 1 dB and SSIM 0.05 above the nearest support frame on
average, and a lower landmark error on each of the six. Everything stays in
out/, which git ignores.
"""

import os
from pathlib import Path

from flaxheads.errors import UserError
from launch import app
from tests.reproduce import _commands as commands

_FOLDER = Path('out/reproduce/real_people')
_NUM_STEPS = 4500
HELD_OUT = (
  'grid_lbbc2a',
  'lp_d9',
  'styletalk_ng',
  'pcavs_731200067',
  'vr_face4',
  'lp_d3',
)


def held_out_flags(real: str) -> str:
  """Flags of launch.evaluate that name the six clips."""
  return ' '.join(f'--source={real}/clips/{name}.mp4' for name in HELD_OUT)


def prepare(folder: Path) -> tuple[Path, str]:
  """Makes records of all clips but six, in folder/data.

  Returns:
    The folder of $FLAXHEADS_REAL_CLIPS, and flags that name the six clips.
  """
  real = os.environ.get('FLAXHEADS_REAL_CLIPS')
  if not real:
    raise UserError('FLAXHEADS_REAL_CLIPS is not set: a folder with clips/')
  commands.run(
    f'prepare --dataset=video_folder --source={real}/clips '
    f'--data_dir={folder}/data --exclude={",".join(HELD_OUT)}'
  )
  return Path(real), held_out_flags(real)


def _evaluate(held_out: str) -> None:
  commands.run(
    f'evaluate --model={_FOLDER}/model {held_out} --num_shots=1,8,32 '
    f'--methods=nearest,warp,ff,ft --split_clip=halves '
    f'--nocross --study_triplets=0 --output={_FOLDER}/evaluation'
  )


def main():
  """Prepares, trains, evaluates, animates and prints the verdict."""
  real, held_out = prepare(_FOLDER)
  commands.run(
    f'train --config=configs/video_folder_64.py --workdir={_FOLDER}/run '
    f'--config.data.data_dir={_FOLDER}/data '
    f'--config.training.num_steps={_NUM_STEPS}'
  )
  commands.run(f'export --workdir={_FOLDER}/run --output={_FOLDER}/model')
  _evaluate(held_out)
  commands.run(
    f'finetune --model={_FOLDER}/model --source={real}/portraits/mona_lisa.jpg '
    f'--confirm_rights --output={_FOLDER}/mona_lisa'
  )
  commands.run(
    f'animate --person={_FOLDER}/mona_lisa '
    f'--driver={real}/clips/grid_bbaf2n.mp4 --output={_FOLDER}/mona_lisa_moved'
  )
  rows = commands.read_rows(_FOLDER / 'evaluation' / 'report.json')
  checks = []
  for metric, margin in (('psnr', 1.0), ('ssim', 0.05)):
    ours = commands.mean(rows, 'ft', 8, metric)
    theirs = commands.mean(rows, 'nearest', 8, metric)
    claim = f'T=8 {metric}: fine-tuned {ours:.3f}, nearest {theirs:.3f}'
    checks.append((claim, ours - theirs >= margin))
  for person, row in rows['ft', 8].items():
    theirs = rows['nearest', 8][person]
    claim = (
      f'{person}: landmark error {row["nme"]:.4f} ({row["failure_rate"]:.0%} '
      f'without a face), nearest {theirs["nme"]:.4f} '
      f'({theirs["failure_rate"]:.0%})'
    )
    checks.append((claim, row['nme'] < theirs['nme']))
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
