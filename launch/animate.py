r"""Animates a person: photographs, or a fine-tuned person, and a driver.

  python -m launch.animate --source=me.jpg --driver=clip.mp4 --output=me.mp4
  python -m launch.animate --source=me.jpg --driver=speech.wav --output=me.mp4
  python -m launch.animate --source=me.jpg --driver=clip.mp4 \
      --driver_sound=speech.wav --output=me.mp4
  python -m launch.animate --person=people/me --person=people/you \
      --driver=a.mp4 --driver=b.mp4 --output=out/gallery

--source takes photographs. A head mesh moves their pixels, and the shipped
bi-layer model corrects them (--model=none: the mesh alone). A --model of the
paper's generator generates the frames instead, without fine-tuning. --person
takes a folder of launch.finetune. You are asked whether you may animate the
person.

--driver takes a video, an image, a folder of images, a landmark file, or a
sound file with speech. Speech moves the mouth while the head idles; with
--driver_sound, the head moves as in --driver. The motion is fitted to the
person's face, and the driver's sound is kept.

The video of photographs is the whole portrait, up to 1024 pixels;
--nopaste_back renders the crop around the head.

An --output that ends in .mp4 is one video. Any other is a folder with a video
for each driver, all side by side, and a contact sheet; several people get a
folder each below it. If one person fails, the others are still made, and the
exit code is 2. An earlier animation of the same name is replaced when the new
one is complete; nothing else is overwritten.

Every file is signed as synthetic and carries an invisible watermark;
launch.verify reads both. docs/animation.md has the details.
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
