"""A VoxCeleb2 tree is prepared, killed on the way, and comes out the same.

200 short videos of synthetic heads in VoxCeleb2's published layout, a tenth of
them broken. Identities do not cross splits, every file dropped stands in the
report with its reason; killed with SIGKILL in the middle and started again,
finished shards are not done again and the records are the same byte for byte.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from flaxheads.data import pipeline, records
from launch import app
from tests.reproduce import _commands as commands
from tests.reproduce import _digests
from tests.reproduce._voxceleb_tree import BREAKAGES, make_tree

_FOLDER = Path('out/reproduce/preparation')
_NUM_KILLS = 3


def _arguments(name):
  return (
    f'prepare --dataset=voxceleb2 --source={_FOLDER}/tree '
    f'--data_dir={_FOLDER}/{name} --num_workers=2'
  )


def _finished(name) -> set[Path]:
  return set((_FOLDER / name / 'voxceleb2' / 'unfinished').glob('*.json'))


def _kill_and_go_on(name) -> bool:
  """Prepares with kills on the way; whether finished shards were left alone."""
  words = _arguments(name).split()
  command = [sys.executable, '-m', f'launch.{words[0]}', *words[1:]]
  before, kept = {}, True
  for kill in range(_NUM_KILLS):
    process = subprocess.Popen(
      command, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while len(_finished(name)) < 8 * (kill + 1) and process.poll() is None:
      time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for path in _finished(name):
      changed = path.stat().st_mtime_ns
      kept &= before.setdefault(path, changed) == changed
    print(f'killed with {len(before)} shards finished', flush=True)
  commands.run(_arguments(name))
  return kept


def _read(name):
  """{split: [(video, identity)]}, the report, and digests of all records."""
  folder = pipeline.find_dataset('voxceleb2', _FOLDER / name)
  found = {}
  for split in ('train', 'test'):
    source = pipeline.make_source('voxceleb2', _FOLDER / name, split)
    found[split] = [_facts(source[index]) for index in range(len(source))]
  report = json.loads((folder / 'report.json').read_text())
  files = sorted(folder.glob('*.array_record*'))
  digests = {path.name: _digests.of_records(path) for path in files}
  return found, report, digests


def _facts(record):
  return records.text(record['video_id']), records.text(record['identity_id'])


def _check_report(report, broken):
  """Whether each broken file stands in the report as what it is."""
  listed = {each['file']: each['reason'] for each in report['dropped_files']}
  wrong = []
  for file, kind in broken.items():
    wanted = BREAKAGES[kind][1]
    if not re.search(wanted, listed.get(file, '')):
      wrong.append(f'{file} ({kind}): {listed.get(file)}')
  for line in wrong:
    print(f'  not as wanted: {line}')
  return not wrong, set(listed) - set(broken)


def main():
  """Makes, prepares, kills, compares, and prints the verdict."""
  broken = make_tree(_FOLDER / 'tree')
  files = len(list((_FOLDER / 'tree').rglob('*.mp4')))
  for name in ('whole', 'killed'):
    shutil.rmtree(_FOLDER / name, ignore_errors=True)
  commands.run(_arguments('whole'))
  kept = _kill_and_go_on('killed')
  found, report, data = _read('whole')
  again, _, data_again = _read('killed')
  people = {split: {p for _, p in found[split]} for split in found}
  right, others = _check_report(report, broken)
  number = sum(len(v) for v in found.values())
  commands.conclude(
    [
      (f'{files} files, {len(broken)} of them broken', files == 200),
      (
        f'{number} records; {len(people["train"])} and {len(people["test"])}'
        ' people, none in both splits',
        not people['train'] & people['test'] and number == 40,
      ),
      ('every broken file is in the report with its reason', right),
      (f'no whole file is dropped: {sorted(others)}', not others),
      (f'{_NUM_KILLS} kills: finished shards were not done again', kept),
      (
        'the records are the same byte for byte',
        found == again and data == data_again,
      ),
    ]
  )


if __name__ == '__main__':
  app.run(main)
