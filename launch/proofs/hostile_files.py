"""300 mutated videos, pictures and records crash, hang and swell nothing.

Bit flips, truncations, absurd headers, pictures of 100 megapixels, empty
files, wrong types, deep nesting, names with odd characters. Videos go through
launch.prepare, which must count each; pictures and records are read in
processes whose end and memory are watched.
"""

import json
import random
import shutil
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np

from flaxheads.benchmark import resident
from flaxheads.data import pipeline
from flaxheads.data.preparation.report import read_report
from flaxheads.data.synthetic_heads import make_clip
from flaxheads.data.video import VideoWriter
from launch import app
from launch.proofs import _commands as commands
from launch.proofs import _hostile as hostile

_FOLDER = Path('out/proofs/hostile_files')
_NUM_VIDEOS, _NUM_PICTURES, _NUM_RECORDS = 180, 80, 40
_MAX_MEMORY = 2 << 30  # bytes
_MAX_SECONDS = 60  # for one file
_NAMES = (
  'a b', '-rf', "it's", 'new\nline', '$(id)', '%s%n', '..x', 'ünï', '日本',
  'http:x', 'a;b', 'x' * 200, '{0}', '\u202egpj', 'tab\there',
)  # fmt: skip


def _nested(data, rng):
  """MP4 boxes one inside the other, 2,000 deep."""
  inner = b''
  for _ in range(2000):
    inner = struct.pack('>I4s', len(inner) + 8, b'moov') + inner
  return b'\0\0\0\x18ftypmp42\0\0\0\0mp42isom' + inner


def _large_png(side=10_000):
  """A valid PNG of 100 megapixels in a few kilobytes."""

  def chunk(kind, data):
    crc = zlib.crc32(kind + data)
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', crc)

  header = struct.pack('>IIBBBBB', side, side + 1, 8, 2, 0, 0, 0)
  packer = zlib.compressobj(9)
  rows = b''.join(packer.compress(bytes(1 + 3 * side)) for _ in range(side + 1))
  data = chunk(b'IHDR', header) + chunk(b'IDAT', rows + packer.flush())
  return b'\x89PNG\r\n\x1a\n' + data + chunk(b'IEND', b'')


def _make_videos(folder, frames, rng):
  base = _FOLDER / 'base.mp4'
  with VideoWriter(base, 25) as writer:
    for frame in frames:
      writer.write(frame)
  large = _FOLDER / 'large.mp4'
  with VideoWriter(large, 25) as writer:
    for _ in range(2):
      writer.write(np.zeros((4096, 16000, 3), np.uint8))
  data = base.read_bytes()
  for number in range(_NUM_VIDEOS):
    mutate = (*hostile.MUTATIONS, _nested)[number % 9]
    name = f'{number:03d}{_NAMES[number // 9 % len(_NAMES)]}'
    suffix = ('.mp4', '.mkv', '.mov', '.gif')[number // 20 % 4]
    content = mutate(data, rng) if number else large.read_bytes()
    (folder / f'{name}{suffix}').write_bytes(content)
  shutil.copy(base, folder / 'whole.mp4')


def _make_pictures(folder, frame, rng):
  bgr = cv2.resize(frame, (256, 256))[..., ::-1]
  kinds = [
    (kind, cv2.imencode(kind, bgr)[1].tobytes())
    for kind in ('.png', '.jpg', '.webp', '.tiff', '.bmp')
  ]
  for number in range(_NUM_PICTURES):
    kind, data = kinds[number % len(kinds)]
    content = hostile.MUTATIONS[number // 5 % len(hostile.MUTATIONS)](data, rng)
    name = f'{number:03d}{_NAMES[number % len(_NAMES)]}{kind}'
    (folder / name).write_bytes(_large_png() if number == 0 else content)


def _make_records(folder, rng):
  """Copies of a data set, each with one file mutated."""
  commands.run(
    f'prepare --dataset=synthetic_heads --data_dir={_FOLDER}/data'
    ' --num_identities=3 --num_test_identities=0 --clips_per_identity=1'
    ' --num_frames=8 --image_size=64'
  )
  source = pipeline.find_dataset('synthetic_heads', _FOLDER / 'data')
  for number in range(_NUM_RECORDS):
    copy = folder / f'{number:03d}' / 'synthetic_heads' / source.name
    shutil.copytree(source, copy)
    files = sorted(path for path in copy.iterdir() if path.suffix != '.png')
    chosen = files[number % len(files)]
    mutate = hostile.MUTATIONS[number // len(files) % len(hostile.MUTATIONS)]
    chosen.write_bytes(mutate(chosen.read_bytes(), rng))


# Runs in a process of its own; says before each file which one it is.
_READER = """
import json, sys
from flaxheads.benchmark import resident
from flaxheads.errors import UserError
kind, *paths = json.loads(sys.stdin.read())
def read(path):
  if kind == 'picture':
    from flaxheads.data.image import read_image
    read_image(path)
  else:
    from flaxheads.data import inspection, pipeline
    for split in pipeline.open_splits('synthetic_heads', path):
      inspection.inspect_split(split, num_samples=8, shown=64)
for path in paths:
  print(json.dumps(['begins', path]), flush=True)
  try:
    read(path)
    said = 'read'
  except UserError as error:
    said = 'refused' if len(str(error).splitlines()) == 1 else 'many lines'
  except Exception as error:
    said = f'{type(error).__name__}: {error}'
  print(json.dumps(['ends', said, resident.peak()]), flush=True)
"""


def _read_all(kind, paths):
  """({outcome: count}, what went wrong, peak bytes)."""
  outcomes, wrong, peak, left = {}, [], 0, [str(path) for path in paths]
  while left:
    process = subprocess.Popen(
      [sys.executable, '-c', _READER],
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
    )
    process.stdin.write(json.dumps([kind, *left]))
    process.stdin.close()
    lines = [json.loads(line) for line in process.stdout]
    status = process.wait()
    ended = [said for what, said, *_ in lines if what == 'ends']
    peak = max([peak, *(line[2] for line in lines if line[0] == 'ends')])
    for said in ended:
      outcomes[said] = outcomes.get(said, 0) + 1
      if said not in ('read', 'refused'):
        wrong.append(said)
    if len(ended) < len(left):
      wrong.append(f'{left[len(ended)]}: the process ends ({status})')
      ended.append('')
    left = left[len(ended) :]
  return outcomes, wrong, peak


def _prepare_and_watch(folder):
  """(exit code, seconds, peak bytes of a worker)."""
  shutil.rmtree(_FOLDER / 'made', ignore_errors=True)
  started, peak = time.monotonic(), 0
  process = subprocess.Popen(
    [
      *(sys.executable, '-m', 'launch.prepare', '--dataset=video_folder'),
      *(f'--source={folder}', f'--data_dir={_FOLDER}/made'),
      *('--num_workers=2', f'--max_seconds={_MAX_SECONDS}'),
    ]
  )
  while process.poll() is None:
    time.sleep(0.2)
    for child in Path('/proc').glob('[0-9]*'):
      try:
        spawned = b'spawn_main' in (child / 'cmdline').read_bytes()
      except OSError:
        continue
      if spawned:
        peak = max(peak, resident.peak(child.name) or 0)
  return process.returncode, time.monotonic() - started, peak


def main():
  """Makes the files, feeds them, and prints the verdict."""
  rng = random.Random(0)
  shutil.rmtree(_FOLDER, ignore_errors=True)
  folders = {name: _FOLDER / name for name in ('videos', 'pictures', 'records')}
  for folder in folders.values():
    folder.mkdir(parents=True)
  frames, _ = make_clip(5, 0, 12, 128)
  _make_videos(folders['videos'], frames, rng)
  _make_pictures(folders['pictures'], frames[0], rng)
  _make_records(folders['records'], rng)
  checks = []
  code, seconds, peak = _prepare_and_watch(folders['videos'])
  report = read_report(_FOLDER / 'made' / 'video_folder' / '1.0.0')
  counted = report['kept'] + report['dropped']
  unexpected = [r for r in report['dropped_by_reason'] if 'unexpected' in r]
  checks += [
    (
      f'videos: exit {code}, {counted} of {_NUM_VIDEOS + 1} counted,'
      f' {report["kept"]} usable, in {seconds:.0f} s',
      code == 0 and counted == _NUM_VIDEOS + 1,
    ),
    (f'videos: nothing unexpected {unexpected}', not unexpected),
    (f'videos: at most {peak / 2**20:.0f} MiB in a worker', peak < _MAX_MEMORY),
  ]
  for kind, name in (('picture', 'pictures'), ('record', 'records')):
    outcomes, wrong, peak = _read_all(kind, sorted(folders[name].iterdir()))
    checks += [
      (f'{name}: {outcomes}, wrong: {wrong}', not wrong),
      (f'{name}: at most {peak / 2**20:.0f} MiB', peak < _MAX_MEMORY),
    ]
  commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
