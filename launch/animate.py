r"""Moves a person with the landmarks of a driver.

  python -m launch.animate --person=people/me --driver=clip.mp4 --output=me.mp4
  python -m launch.animate --person=people/me --driver=a.mp4 --driver=b.mp4 \
      --output=out/me
  python -m launch.animate --source=me.jpg --driver=clip.mp4 --output=me.mp4

A driver is a video, a folder of pictures, a picture, or a landmark file
(.npz). With --source instead of --person the model draws feed-forward, without
fine-tuning; you are asked whether you may animate who is shown. An --output
that ends in .mp4 becomes that one video; any other becomes a folder with a
video of each driver, all side by side, and a contact sheet.

Every file is signed, says that it is synthetic, and carries an invisible
watermark; launch.verify reads both.
"""

import dataclasses
import functools
from pathlib import Path

from absl import flags

from flaxheads import fewshot
from flaxheads.data.sources import load_driver, load_support
from flaxheads.data.video import EXTENSIONS
from flaxheads.errors import UserError, check_range
from flaxheads.fewshot import animation
from flaxheads.provenance.examine import sha256_of
from launch import _marks, _rights, app

_PERSON = flags.DEFINE_string('person', None, 'Person folder.')
_MODEL = flags.DEFINE_string('model', None, 'Model folder; the shipped one.')
_SOURCE = flags.DEFINE_string('source', None, 'Pictures, for feed-forward.')
_NUM_SHOTS = flags.DEFINE_integer('num_shots', None, 'T of --source.')
_DRIVER = flags.DEFINE_multi_string('driver', [], 'What moves the person.')
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
  _marks.check_flags()


def _check_output(output: Path):
  """Refuses names that cannot be written, or that would overwrite an input."""
  given = f'--output={_OUTPUT.value}'
  if output.suffix.lower() == '.mp4':
    if len(_DRIVER.value) > 1 or _PNG_FRAMES.value:
      raise UserError(
        f'{given}: several drivers or PNG frames need a folder, not an .mp4'
      )
    if not output.parent.is_dir():
      raise UserError(f'{given}: its folder does not exist')
    if output.is_dir():
      raise UserError(f'{given}: is a folder; give the name of a file')
  elif output.suffix.lower() in EXTENSIONS:
    raise UserError(f'{given}: video is written as MP4; name it ….mp4')
  else:
    animation.check_folder(output)
  for path in filter(None, [*_DRIVER.value, _SOURCE.value]):
    path = Path(path).expanduser()
    if not path.exists():  # before anything that takes long
      raise UserError(f'{path}: no such file or folder')
    if path.resolve().is_relative_to(output.resolve()):
      raise UserError(f'{given}: would overwrite {path}; give another name')


def _load_person():
  if _PERSON.value:
    return fewshot.load_person(_PERSON.value), []
  model = fewshot.load_model(_MODEL.value)
  rights = _rights.confirm(_SOURCE.value)
  support = load_support(
    _SOURCE.value, model.config.image_size, _NUM_SHOTS.value, face=_FACE.value
  )
  person = fewshot.feed_forward(model, support.frames, support.points)
  source = {'source_sha256': sha256_of(_SOURCE.value), **rights}
  person = dataclasses.replace(person, info={**person.info, **source})
  return person, support.remarks


def _load_drivers(image_size):
  drivers = app.progress_bar(_DRIVER.value, 'reading drivers', unit=' drivers')
  with drivers:
    return animation.unique_names(
      [
        load_driver(
          path,
          image_size,
          face=_FACE.value,
          fps=_FPS.value,
          max_frames=_MAX_FRAMES.value,
        )
        for path in drivers
      ]
    )


def _make_marks(person):
  """What the files say: about the model, the person, and what moved it."""
  facts = {
    key: person.info[key]
    for key in ('model', 'model_sha256', 'method', 'num_shots', 'rights_date')
    if key in person.info
  }
  facts['rights'] = person.info.get('rights', 'not recorded')
  portrait = person.info.get('source_sha256', 'not recorded')
  facts['ingredients'] = [
    {'role': 'portrait', 'sha256': portrait},
    *({'role': 'driver', 'sha256': sha256_of(p)} for p in _DRIVER.value),
  ]
  digest = person.info.get('model_sha256', '')
  return _marks.make_marks(facts, digest, _VISIBLE_LABEL.value)


def _render(person, driver, path, marks):
  bar = functools.partial(
    app.progress_bar, desc=driver.name, total=len(driver.points), unit=' frames'
  )
  return animation.render(person, driver, path, _SIZE.value, marks, bar)


def _render_folder(output, person, drivers, report, marks):
  with animation.folder_of_files(output) as folder:
    rendered = [
      _render(person, driver, folder / f'{driver.name}.mp4', marks)
      for driver in drivers
    ]
    animation.write_folder(
      folder, person, drivers, rendered, _SIZE.value, _PNG_FRAMES.value, marks
    )
    animation.write_report(folder / 'report.json', report)
    names = sorted(path.name for path in folder.iterdir())
  print(f'{output}: {", ".join(names)}')


def main():
  """Animates."""
  _check_flags()
  output = Path(_OUTPUT.value).expanduser()
  _check_output(output)
  person, remarks = _load_person()
  drivers = _load_drivers(person.config.image_size)
  marks = _make_marks(person)
  report = {
    'person': _PERSON.value or _SOURCE.value,
    **person.info,
    'model_size': person.config.image_size,
    'drivers': [
      {'file': path, 'name': d.name, 'frames': len(d.points), 'fps': d.fps}
      for path, d in zip(_DRIVER.value, drivers, strict=True)
    ],
    'marks': _marks.describe(marks),
    'remarks': remarks + [remark for d in drivers for remark in d.remarks],
  }
  if output.suffix.lower() != '.mp4':
    _render_folder(output, person, drivers, report, marks)
    return
  _render(person, drivers[0], output, marks)
  animation.write_report(f'{output}.report.json', report)
  print(f'{output}: {len(drivers[0].points)} frames')


if __name__ == '__main__':
  app.run(main)
