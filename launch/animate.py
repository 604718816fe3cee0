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
from flaxheads.data.driver import load_driver
from flaxheads.data.output_files import atomic_paths
from flaxheads.data.support import load_support
from flaxheads.fewshot import animation, casting
from flaxheads.provenance.examine import sha256_of
from launch import _animate_flags, _marks, _replacing, _rights, _several, app

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(_animate_flags)  # for --help


def _person_maker() -> Callable:
  """Gives a person and remarks for each name; asks for rights at once."""
  if FLAGS.person:
    return lambda path: (fewshot.load_person(path), [])
  model = fewshot.load_model(FLAGS.model)
  rights = {path: _rights.confirm(path) for path in FLAGS.source}

  def make(path):
    size = model.config.image_size
    support = load_support(path, size, FLAGS.num_shots, face=FLAGS.face)
    person = fewshot.feed_forward(model, support.frames, support.points)
    source = {'source_sha256': sha256_of(path), **rights[path]}
    info = {**person.info, **source}
    person = dataclasses.replace(person, info=info, portrait=support.portrait)
    return person, support.remarks

  return make


@functools.cache
def _load_drivers(image_size, pictures):
  drivers = app.progress_bar(FLAGS.driver, 'reading drivers', unit=' drivers')
  with drivers:
    loaded = [
      load_driver(
        path,
        image_size,
        face=FLAGS.face,
        fps=FLAGS.fps,
        max_frames=FLAGS.max_frames,
        frames=pictures,
      )
      for path in drivers
    ]
  if not FLAGS.sound:
    loaded = [driver._replace(sound=None) for driver in loaded]
  return animation.unique_names(loaded)


@functools.cache
def _driver_hashes() -> list[str]:
  return [sha256_of(path) for path in FLAGS.driver]


def _make_marks(person):
  facts = casting.describe_origin(person, _driver_hashes())
  digest = person.info.get('model_sha256', '')
  return _marks.make_marks(facts, digest, FLAGS.visible_label)


def _fit(person, drivers):
  """The drivers for this person, and whether each was retargeted."""
  retargeted = [
    casting.wants_retargeting(FLAGS.retarget, person, digest)
    for digest in _driver_hashes()
  ]
  fitted = [
    casting.fit_driver(person, driver, wanted, FLAGS.paste_back)
    for driver, wanted in zip(drivers, retargeted, strict=True)
  ]
  return fitted, retargeted


def _report(path, person, drivers, retargeted, remarks, marks):
  files = zip(FLAGS.driver, drivers, retargeted, strict=True)
  info = {k: v for k, v in person.info.items() if k != 'curve'}  # it is long
  return {
    'person': path,
    **info,
    'model_size': person.config.image_size,
    'pasted_back': FLAGS.paste_back,
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
  if FLAGS.paste_back:
    casting.check_portrait(person)
  one_file = output.suffix.lower() == '.mp4'
  drivers = _load_drivers(person.config.image_size, not one_file)
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
    if FLAGS.paste_back:
      paste = casting.make_paste(person, driver.points)
    return animation.render(
      person, driver, file, FLAGS.size, marks, bar, paste, keep=not one_file
    )

  if one_file:
    with atomic_paths(output, _animate_flags.report_of(output)) as (
      file,
      report_file,
    ):
      render(drivers[0], file)
      animation.write_report(report_file, report)
    print(f'{output}: {len(drivers[0].points)} frames')
    return
  with animation.folder_of_files(output) as folder:
    rendered = [render(d, folder / f'{d.name}.mp4') for d in drivers]
    animation.write_folder(
      folder, person, drivers, rendered, FLAGS.size, FLAGS.png_frames, marks
    )
    animation.write_report(folder / 'report.json', report)
    names = sorted(file.name for file in folder.iterdir())
  print(f'{output}: {", ".join(names)}')


def main():
  """Animates."""
  _animate_flags.check()
  output = Path(FLAGS.output).expanduser()
  _animate_flags.check_output(output)
  make_person = _person_maker()

  def make(name, path):
    target = output if len(_animate_flags.given()) == 1 else output / name
    _animate(target, path, make_person)

  _several.each(_animate_flags.given(), make)


if __name__ == '__main__':
  app.run(main)
