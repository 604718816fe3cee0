r"""Moves a person with the landmarks of a driver.

  python -m launch.animate --person=people/me --driver=clip.mp4 --output=me.mp4
  python -m launch.animate --person=people/me --driver=a.mp4 --driver=b.mp4 \
      --output=out/me
  python -m launch.animate --source=me.jpg --driver=clip.mp4 --output=me.mp4
  python -m launch.animate --person=people/me --person=people/you \
      --driver=clip.mp4 --paste_back --output=out/gallery
  python -m launch.animate --source=me.jpg --driver=speech.wav --output=me.mp4
  python -m launch.animate --source=me.jpg --driver=clip.mp4 \
      --driver_sound=speech.wav --output=me.mp4

A driver is a video, a folder of pictures, a picture, a landmark file (.npz), or
a sound file with speech. Speech moves the mouth while the head idles, or moves
as in a clip: --driver is the clip then, and --driver_sound the speech.

With --source instead of --person the pixels of the pictures themselves are
moved, and the shipped bi-layer model corrects them (--model=none: the head mesh
alone). A --model of the paper's generator generates the frames, without
fine-tuning. You are asked whether you may animate who is shown.

The video of photographs is the whole portrait, up to 1024 pixels, with the head
moving in it; --nopaste_back gives the crop about the head.

An --output that ends in .mp4 becomes that one video; any other becomes a folder
with a video of each driver, all side by side, and a contact sheet. Several
people get a folder each below it; where one fails the others are still made,
and the exit code is 2. An earlier animation of the same name is replaced when
the new one is complete, and a line says so; nothing else is overwritten.

Across people the driver's motion is put on the person's own face shape; the
driver's sound is kept. docs/animation.md says how.

Every file is signed, says that it is synthetic, and carries an invisible
watermark; launch.verify reads both.
"""

import functools
from pathlib import Path

from absl import flags

from flaxheads import api
from flaxheads.data.kinds import VIDEO, kind_of
from flaxheads.fewshot.animation_job import RenderOptions
from flaxheads.fewshot.model import NO_MODEL, choose_model
from flaxheads.fewshot.person_folder import load_person
from flaxheads.landmarks import face_finder
from flaxheads.speech.driver import load_driver

from . import _animate_flags, _consent, _logs, _mark_flags, _outputs, app

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(_animate_flags)  # for --help


@functools.cache
def _load_drivers(image_size, frames):
  paths = FLAGS.driver or [None]  # None: the speech alone
  drivers = _logs.progress_bar(paths, 'reading drivers', unit=' drivers')
  with drivers:
    return [
      load_driver(
        path,
        image_size,
        speech=FLAGS.driver_sound,
        seed=FLAGS.seed,
        face=FLAGS.face,
        fps=FLAGS.fps,
        max_frames=FLAGS.max_frames,
        frames=frames,
      )
      for path in drivers
    ]


def _progress(frames, name, total):
  return _logs.progress_bar(frames, desc=name, total=total, unit=' frames')


def _animate(output, person):
  """One person, with all drivers."""
  options = RenderOptions(
    FLAGS.motion, FLAGS.paste_back, FLAGS.sound, FLAGS.size, FLAGS.gaze
  )
  common = {
    'make_marks': _mark_flags.maker(FLAGS.visible_label),
    'show_progress': _progress,
  }
  if output.suffix.lower() == '.mp4':
    (driver,) = _load_drivers(person.image_size, frames=False)
    report = api.render_video(person, driver, output, options, **common)
    print(f'{output}: {report["drivers"][0]["frames"]} frames')
    return
  drivers = _load_drivers(person.image_size, frames=True)
  png_frames = FLAGS.png_frames
  api.render_folder(
    person, drivers, output, options, png_frames=png_frames, **common
  )
  names = sorted(file.name for file in output.iterdir())
  print(f'{output}: {", ".join(names)}')


def main():
  """Animates."""
  _animate_flags.check()
  output = Path(FLAGS.output).expanduser()
  _animate_flags.check_output(output)
  model = (choose_model(FLAGS.model) if FLAGS.source else None) or NO_MODEL
  consent = {path: _consent.ask(path) for path in FLAGS.source}
  if any(kind_of(path) == VIDEO for path in FLAGS.driver):
    face_finder.warm_up('mesh')

  def make(name, path):
    target = output if len(_animate_flags.given()) == 1 else output / name
    _outputs.warn_replaced(target)
    if FLAGS.person:
      return _animate(target, load_person(path))
    person = api.make_person(
      path,
      model=model,
      confirm_rights=consent[path],
      finetune=False,
      num_shots=FLAGS.num_shots,
      face=FLAGS.face,
    )
    return _animate(target, person)

  _outputs.for_each(_animate_flags.given(), make)


if __name__ == '__main__':
  app.run(main)
