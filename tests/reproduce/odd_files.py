"""Files as people have them end in a right result or in one line that says why.

A folder of odd files, as public bug reports name them: see FILES. Each is given
to launch.finetune as a source, and to launch.animate as a source and as a
driver. A command exits with 0, or with 2 and one line; what is turned, cut or
left out is said; a video has the frame rate of its driver and is as long, and
so is its sound.

In a third of the time with JAX_DISABLE_MOST_OPTIMIZATIONS=1 and
XLA_FLAGS=--xla_cpu_use_fusion_emitters=false, as the tests compile.
"""

import argparse
import itertools
import re
import tempfile
from pathlib import Path

import av

from configs import tiny
from flaxheads import fewshot
from tests import tiny_game
from tests.launch import commands, footage
from tests.reproduce import _commands

# Not of absl, whose flags the commands define and parse anew.
_PARSER = argparse.ArgumentParser()
_PARSER.add_argument('--files', required=True, help='The folder of files.')
_PARSER.add_argument('--model', default='none', help='Of animate.')
_PARSER.add_argument('--part', default='', help='Of the names of some files.')

USES = ('fine-tuned', 'source', 'driver')
# What is said of a file, as a regular expression.
_TURNED = 'turned it by {}'
SAID = {
  'half_cut.jpg': 'the edge of the image cuts the face in half',
  'mona180.jpg': _TURNED.format(180),
  'einstein180.jpg': _TURNED.format(180),
  'einstein90.jpg': _TURNED.format(90),
  'two_shots.mp4': 'of 2 shots|has cuts',
}
SAID_OF_DRIVERS = {
  'one_late_stamp.mp4': 'wrong time stamp',
  'black_ends.mp4': 'no face in frames',
}
REFUSED = {'half_cut.jpg'}
RATES = {'r30.webm': 30, 'r60.webm': 60, 'r240.mkv': 240, 'animated.webp': 12}
FRAMES = {'black_ends.mp4': 125, 'one_late_stamp.mp4': 75}
_SLACK = 0.1  # seconds between the ends of picture and sound


def _seconds(stream) -> float:
  return float(stream.duration * stream.time_base)


def _wrong_video(path: Path, driver: str) -> str:
  """What is wrong with the video of a driver; '' for nothing."""
  with av.open(str(path)) as file:
    video, sound = file.streams.video[0], file.streams.audio
    rate = RATES.get(driver, video.average_rate)
    if abs(video.average_rate - rate) > 0.01:
      return f'{video.average_rate} frames per second'
    if video.frames != FRAMES.get(driver, video.frames):
      return f'{video.frames} frames'
    if sound and abs(_seconds(sound[0]) - _seconds(video)) > _SLACK:
      return f'sound of {_seconds(sound[0])} s, video of {_seconds(video)} s'
  return ''


def _wrong(done: commands.Done, name: str, use: str) -> str:
  """What is wrong with how a command ended; '' for nothing."""
  lines = [x for x in re.split('[\r\n]+', done.err) if re.match(r'\w+: ', x)]
  said = ' '.join(lines)
  if 'Traceback' in done.err or done.code not in (0, 2):
    return f'exit code {done.code}: {done.err[-300:]}'
  errors = [line for line in lines if ': warning: ' not in line]
  if len(errors) != (done.code == 2):
    return f'{len(errors)} lines at exit code {done.code}: {errors}'
  if name in REFUSED and done.code == 0:
    return 'was taken'
  wanted = SAID | (SAID_OF_DRIVERS if use == 'driver' else {})
  if not re.search(wanted.get(name, ''), said):
    return f'nothing is said of it, but: {said!r}'
  return ''


def _command(use: str, path: Path, work: Path, model: str) -> tuple:
  """The command that takes a file in one of USES."""
  if use == 'fine-tuned':
    return (
      *('finetune', '--confirm_rights', f'--model={work / "model"}'),
      *(f'--source={path}', '--num_shots=1', '--num_steps=1'),
      f'--output={work / "person"}',
    )
  others = {'source': work / 'photo.png', 'driver': work / 'clip.mp4'}
  given = [f'--{k}={v}' for k, v in (others | {use: path}).items()]
  return (
    *('animate', '--confirm_rights', f'--model={model}'),
    *(*given, f'--output={work / "out.mp4"}'),
  )


def main():
  """Tries all files; exits 1 where anything is wrong."""
  options = _PARSER.parse_args()
  files = sorted(
    path for path in Path(options.files).iterdir() if options.part in path.name
  )
  checks = []
  with tempfile.TemporaryDirectory() as folder:
    work = Path(folder)
    footage.write_video(work / 'clip.mp4', 8, 25)
    footage.write_pictures(work / 'photos', 1)
    (work / 'photos' / '0.png').rename(work / 'photo.png')
    model = str(work / 'model')
    fewshot.save_model(model, tiny_game.make_model(tiny.get_config()))
    for use, path in itertools.product(USES, files):
      name = path.name
      done = commands.call(*_command(use, path, work, options.model))
      wrong = _wrong(done, name, use)
      if not wrong and use == 'driver' and done.code == 0:
        wrong = _wrong_video(work / 'out.mp4', name)
      said = re.split('[\r\n]+', done.err.strip())[0][:160]
      claim = f'{name}, {use}: exit code {done.code} {said} {wrong}'
      print(claim, flush=True)
      checks.append((claim, not wrong))
  _commands.conclude(checks)


if __name__ == '__main__':
  main()
