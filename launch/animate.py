r"""Moves a person with the landmarks of a driver.

  python -m launch.animate --person=people/me --driver=clip.mp4 --output=me.mp4
  python -m launch.animate --person=people/me --driver=a.mp4 --driver=b.mp4 \
      --output=out/me
  python -m launch.animate --source=me.jpg --driver=clip.mp4 --output=me.mp4
  python -m launch.animate --person=people/me --person=people/you \
      --driver=clip.mp4 --paste_back --output=out/gallery

A driver is a video, a folder of pictures, a picture, or a landmark file
(.npz). With --source instead of --person the model draws feed-forward, without
fine-tuning; you are asked whether you may animate who is shown. An --output
that ends in .mp4 becomes that one video; any other becomes a folder with a
video of each driver, all side by side, and a contact sheet. Several people get
a folder each below it; where one fails, the others are made all the same, and
the exit code is 2. An earlier animation of the same name is replaced when the
new one is whole, and a line says so; nothing else is overwritten.

Across people the driver's motion is put on the person's own face shape; the
driver's sound is kept. docs/animation.md says how.

Every file is signed, says that it is synthetic, and carries an invisible
watermark; launch.verify reads both.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

from absl import flags

from flaxheads import fewshot
from flaxheads.data.files import together
from flaxheads.data.sources import load_driver, load_support
from flaxheads.data.video import EXTENSIONS
from flaxheads.errors import UserError, check_choice, check_range
from flaxheads.fewshot import animation, casting
from flaxheads.provenance.examine import sha256_of
from launch import _marks, _replacing, _rights, _several, app

_PERSON = flags.DEFINE_multi_string('person', [], 'Person folder; repeatable.')
_MODEL = flags.DEFINE_string('model', None, 'Model folder; the shipped one.')
_SOURCE = flags.DEFINE_multi_string(
  'source', [], 'Pictures of a person, for feed-forward; repeatable.'
)
_NUM_SHOTS = flags.DEFINE_integer('num_shots', None, 'T of --source.')
_DRIVER = flags.DEFINE_multi_string('driver', [], 'What moves the person.')
_RETARGET = flags.DEFINE_string(
  'retarget',
  'auto',
  "Put the driver's motion on the person's own face shape: auto (unless the "
  'driver is the file that the person was made from), always, never.',
)
_PASTE_BACK = flags.DEFINE_bool(
  'paste_back', False, 'Videos are the whole portrait with the head in it.'
)
_SOUND = flags.DEFINE_bool('sound', True, "Keep the driver's sound.")
_FACE = flags.DEFINE_integer(
  'face', None, 'Which face of source and driver, from the left, from 0.'
)
_FPS = flags.DEFINE_float('fps', None, "Frames per second; the driver's own.")
_MAX_FRAMES = flags.DEFINE_integer('max_frames', None, 'Of each driver.')
_SIZE = flags.DEFINE_integer(
  'size', 256, 'Side of the video, pixels; smaller model output is enlarged.'
)
_PNG_FRAMES = flags.DEFINE_bool('png_frames', False, 'PNG frames as well.')
_VISIBLE_LABEL = flags.DEFINE_bool(
  'visible_label', False, 'Burn the word "synthetic" into every picture.'
)
_OUTPUT = flags.DEFINE_string('output', None, 'An .mp4 file, or a folder.')
flags.adopt_module_key_flags(_marks)  # for --help
flags.adopt_module_key_flags(_rights)  # for --help


def _check_flags():
  if not _OUTPUT.value:
    raise UserError('--output is missing: an .mp4 file, or a folder')
  if not _DRIVER.value:
    raise UserError('--driver is missing: a video or landmark file')
  if bool(_PERSON.value) == bool(_SOURCE.value):
    raise UserError('give either --person, or --source for feed-forward')
  if _PERSON.value and (_MODEL.value or _NUM_SHOTS.value is not None):
    raise UserError('--model and --num_shots go with --source, not --person')
  if _NUM_SHOTS.value is not None:
    check_range('--num_shots', _NUM_SHOTS.value, 1)
  check_range('--size', _SIZE.value, 64, 2048)
  check_choice('--retarget', _RETARGET.value, casting.RETARGET)
  _marks.check_flags()


def _given():
  """What the people are made of: person folders, or pictures."""
  return _PERSON.value or _SOURCE.value


def _report_of(video: Path) -> Path:
  return video.with_name(f'{video.name}.report.json')


def _check_output(output: Path):
  """Refuses names that cannot be written, or that would overwrite an input."""
  given = f'--output={_OUTPUT.value}'
  if output.suffix.lower() == '.mp4':
    several = len(_DRIVER.value) > 1 or len(_given()) > 1
    if several or _PNG_FRAMES.value:
      raise UserError(
        f'{given}: several people, several drivers or PNG frames need a folder,'
        ' not an .mp4'
      )
    if not output.parent.is_dir():
      raise UserError(f'{given}: its folder does not exist')
    if output.is_dir():
      raise UserError(f'{given}: is a folder; give the name of a file')
  elif output.suffix.lower() in EXTENSIONS:
    raise UserError(f'{given}: video is written as MP4; name it ….mp4')
  elif len(_given()) == 1:
    animation.check_folder(output)
  elif output.exists() and not output.is_dir():
    raise UserError(f'{given}: is a file; several people need a folder')
  for path in [*_DRIVER.value, *_SOURCE.value]:
    path = Path(path).expanduser()
    if not path.exists():  # before anything that takes long
      raise UserError(f'{path}: no such file or folder')
    if path.resolve().is_relative_to(output.resolve()):
      raise UserError(f'{given}: would overwrite {path}; give another name')
  if output.suffix.lower() == '.mp4':
    _replacing.check_file(output, _report_of(output))


def _person_maker() -> Callable:
  """Gives a person and remarks for each name; asks for rights at once."""
  if _PERSON.value:
    return lambda path: (fewshot.load_person(path), [])
  model = fewshot.load_model(_MODEL.value)
  rights = {path: _rights.confirm(path) for path in _SOURCE.value}

  def make(path):
    size = model.config.image_size
    support = load_support(path, size, _NUM_SHOTS.value, face=_FACE.value)
    person = fewshot.feed_forward(model, support.frames, support.points)
    source = {'source_sha256': sha256_of(path), **rights[path]}
    info = {**person.info, **source}
    person = dataclasses.replace(person, info=info, portrait=support.portrait)
    return person, support.remarks

  return make


@functools.cache
def _load_drivers(image_size):
  drivers = app.progress_bar(_DRIVER.value, 'reading drivers', unit=' drivers')
  with drivers:
    loaded = [
      load_driver(
        path,
        image_size,
        face=_FACE.value,
        fps=_FPS.value,
        max_frames=_MAX_FRAMES.value,
      )
      for path in drivers
    ]
  if not _SOUND.value:
    loaded = [driver._replace(sound=None) for driver in loaded]
  return animation.unique_names(loaded)


@functools.cache
def _driver_hashes() -> list[str]:
  return [sha256_of(path) for path in _DRIVER.value]


def _make_marks(person):
  facts = casting.describe_origin(person, _driver_hashes())
  digest = person.info.get('model_sha256', '')
  return _marks.make_marks(facts, digest, _VISIBLE_LABEL.value)


def _fit(person, drivers):
  """The drivers for this person, and whether each was retargeted."""
  retargeted = [
    casting.wants_retargeting(_RETARGET.value, person, digest)
    for digest in _driver_hashes()
  ]
  fitted = [
    casting.fit_driver(person, driver, wanted, _PASTE_BACK.value)
    for driver, wanted in zip(drivers, retargeted, strict=True)
  ]
  return fitted, retargeted


def _report(path, person, drivers, retargeted, remarks, marks):
  files = zip(_DRIVER.value, drivers, retargeted, strict=True)
  return {
    'person': path,
    **person.info,
    'model_size': person.config.image_size,
    'pasted_back': _PASTE_BACK.value,
    'drivers': [
      {
        'file': file,
        'name': driver.name,
        'frames': len(driver.points),
        'fps': driver.fps,
        'retargeted': wanted,
      }
      for file, driver, wanted in files
    ],
    'marks': _marks.describe(marks),
    'remarks': remarks + [text for d in drivers for text in d.remarks],
  }


def _animate(output, path, make_person):
  """One person, with all drivers."""
  _replacing.warn(output)
  person, remarks = make_person(path)
  if _PASTE_BACK.value:
    casting.check_portrait(person)
  drivers = _load_drivers(person.config.image_size)
  drivers, retargeted = _fit(person, drivers)
  marks = _make_marks(person)
  report = _report(path, person, drivers, retargeted, remarks, marks)

  def render(driver, file):
    bar = functools.partial(
      app.progress_bar,
      desc=driver.name,
      total=len(driver.points),
      unit=' frames',
    )
    paste = None
    if _PASTE_BACK.value:
      paste = casting.make_paste(person, driver.points)
    return animation.render(
      person, driver, file, _SIZE.value, marks, bar, paste
    )

  if output.suffix.lower() == '.mp4':
    with together(output, _report_of(output)) as (file, report_file):
      render(drivers[0], file)
      animation.write_report(report_file, report)
    print(f'{output}: {len(drivers[0].points)} frames')
    return
  with animation.folder_of_files(output) as folder:
    rendered = [render(d, folder / f'{d.name}.mp4') for d in drivers]
    animation.write_folder(
      folder, person, drivers, rendered, _SIZE.value, _PNG_FRAMES.value, marks
    )
    animation.write_report(folder / 'report.json', report)
    names = sorted(file.name for file in folder.iterdir())
  print(f'{output}: {", ".join(names)}')


def main():
  """Animates."""
  _check_flags()
  output = Path(_OUTPUT.value).expanduser()
  _check_output(output)
  make_person = _person_maker()

  def make(name, path):
    target = output if len(_given()) == 1 else output / name
    _animate(target, path, make_person)

  _several.each(_given(), make)


if __name__ == '__main__':
  app.run(main)
