"""Files as people have them end in a right result or in one line that says why.

A folder of odd files, as public bug reports name them: see FILES. Each is given
to launch.finetune as a source, and to launch.animate as a source and as a
driver. A command exits with 0, or with 2 and one line; what is turned, cut or
left out is said; a video has the frame rate of its driver and is as long, and
so is its sound.
"""

import re
import tempfile
from pathlib import Path

import av
from absl import flags

from configs import tiny
from flaxheads import fewshot
from launch import app
from tests import tiny_game
from tests.launch import commands, footage
from tests.reproduce import _commands

FLAGS = flags.FLAGS
flags.DEFINE_string('files', None, 'The folder of files.', required=True)
flags.DEFINE_string(
  'moved_by', 'none', 'Model of animate; none is the quickest.'
)
flags.DEFINE_list('parts', [], 'Parts of the names of those to try.')

# What is said of a file, as a regular expression.
_TURNED = 'turned it by {}'
SAID = {
  'half_cut.jpg': 'the edge of the image cuts the face in half',
  'mona180.jpg': _TURNED.format(180),
  'einstein180.jpg': _TURNED.format(180),
  'einstein90.jpg': _TURNED.format(90),
  'two_shots.mp4': 'of 2 shots|has cuts',
  'one_late_stamp.mp4': 'wrong time stamp|$',  # not as a source
  'black_ends.mp4': 'no face in frames|$',
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


def _wrong(done: commands.Done, name: str) -> str:
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
  if not re.search(SAID.get(name, ''), said):
    return f'nothing is said of it, but: {said!r}'
  return ''


def _try(name: str, work: Path, model: Path):
  """Yields each use of a file, what came of it, and what is wrong."""
  path, photo = Path(FLAGS.files) / name, work / 'photo.png'
  clip, out = work / 'clip.mp4', work / f'{name}.mp4'
  animate = ('animate', '--confirm_rights', f'--model={FLAGS.moved_by}')
  for use, command in {
    'fine-tuned': (
      *('finetune', '--confirm_rights', f'--model={model}', '--num_steps=1'),
      *(f'--source={path}', '--num_shots=1', f'--output={work / "person"}'),
    ),
    'source': (
      *(*animate, f'--source={path}', f'--driver={clip}'),
      f'--output={work / "of_source.mp4"}',
    ),
    'driver': (
      *(*animate, f'--source={photo}', f'--driver={path}', f'--output={out}'),
    ),
  }.items():
    done = commands.call(*command)
    wrong = _wrong(done, name)
    if not wrong and use == 'driver' and done.code == 0:
      wrong = _wrong_video(out, name)
    yield use, done, wrong


def main():
  """Tries all files; exits 1 where anything is wrong."""
  names = sorted(path.name for path in Path(FLAGS.files).iterdir())
  if FLAGS.parts:
    names = [n for n in names if any(part in n for part in FLAGS.parts)]
  checks = []
  with tempfile.TemporaryDirectory() as folder:
    work = Path(folder)
    footage.write_video(work / 'clip.mp4', 8, 25)
    footage.write_pictures(work / 'photos', 1)
    (work / 'photos' / '0.png').rename(work / 'photo.png')
    model = work / 'model'
    fewshot.save_model(str(model), tiny_game.make_model(tiny.get_config()))
    for name in names:
      for use, done, wrong in _try(name, work, model):
        said = re.split('[\r\n]+', done.err.strip())[0][:160]
        claim = f'{name}, {use}: exit code {done.code} {said}'
        print(claim, '' if not wrong else f'WRONG: {wrong}', flush=True)
        checks.append((f'{claim} {wrong}', not wrong))
  _commands.conclude(checks)


if __name__ == '__main__':
  app.run(main)
