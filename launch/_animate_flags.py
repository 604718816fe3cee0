"""The flags of launch.animate, and which of them go together."""

from pathlib import Path

from absl import flags

from flaxheads.data.kinds import VIDEO_EXTENSIONS
from flaxheads.errors import UserError, check_choice, check_range
from flaxheads.fewshot import animation_folder, animation_job, rendering

from . import _consent, _mark_flags

FLAGS = flags.FLAGS

flags.DEFINE_multi_string('person', [], 'Person folder of launch.finetune.')
flags.DEFINE_string(
  'model',
  None,
  'Model folder for --source. Default: the shipped bi-layer model. none: the '
  'head mesh alone.',
)
flags.DEFINE_multi_string('source', [], 'Photographs or a video of one person.')
flags.DEFINE_integer(
  'num_shots', None, 'Frames to use of each --source. Default: at most 32.'
)
flags.DEFINE_multi_string(
  'driver',
  [],
  'What moves the person: a video, an image, a folder of images, a landmark '
  'file, or a sound file with speech.',
)
flags.DEFINE_string(
  'driver_sound',
  None,
  'Speech for the mouth and the sound of the video: a sound file, or a video '
  'with sound. The head moves as in --driver, or idles without one.',
)
flags.DEFINE_integer('seed', 0, 'Seed of the motion of an idle head.')
flags.DEFINE_string(
  'motion',
  'auto',
  "relative: the person moves as the driver does from the driver's rest. "
  "absolute: the person takes on the driver's poses. auto: relative, but "
  'absolute for the file that the person was made from and for drivers of '
  'fewer than 10 frames.',
)
flags.DEFINE_bool(
  'paste_back',
  None,
  'Render the whole portrait, with the moving head in it. Default: true for '
  'photographs unless --size is given.',
)
flags.DEFINE_bool(
  'gaze', True, "Move the eyes of photographs as the driver's move."
)
flags.DEFINE_bool('sound', True, "Keep the driver's sound.")
flags.DEFINE_integer(
  'face',
  None,
  'Which face to use where an image shows several, from the left, from 0.',
)
flags.DEFINE_float(
  'fps', None, "Frames per second of the video. Default: the driver's."
)
flags.DEFINE_integer('max_frames', None, 'Frames to read of each driver.')
flags.DEFINE_integer(
  'size',
  None,
  "Side of the video in pixels. Default: the person's, at least 256.",
)
flags.DEFINE_bool('png_frames', False, 'Write every frame as PNG, too.')
flags.DEFINE_bool(
  'visible_label', False, 'Write the word "synthetic" into every frame.'
)
flags.DEFINE_string(
  'output', None, 'Video to write (.mp4), or a folder for several.'
)
flags.adopt_module_key_flags(_mark_flags)  # for --help
flags.adopt_module_key_flags(_consent)


def check() -> None:
  """Refuses flags that are missing or do not belong together."""
  if not FLAGS.output:
    raise UserError('--output is missing: an .mp4 file, or a folder')
  if not FLAGS.driver and not FLAGS.driver_sound:
    raise UserError(
      '--driver is missing: a video, images, landmarks, or speech'
    )
  if bool(FLAGS.person) == bool(FLAGS.source):
    raise UserError(
      'give either --person, or --source: photographs of a person'
    )
  if FLAGS.person and (FLAGS.model or FLAGS.num_shots is not None):
    raise UserError('--model and --num_shots go with --source, not --person')
  if FLAGS.num_shots is not None:
    check_range('--num_shots', FLAGS.num_shots, 1)
  if FLAGS.size is not None:
    check_range('--size', FLAGS.size, 64, 2048)
  check_choice('--motion', FLAGS.motion, animation_job.MOTIONS)
  _mark_flags.check_flags()


def given() -> list[str]:
  """What the people are made of: person folders, or pictures."""
  return FLAGS.person or FLAGS.source


def check_output(output: Path) -> None:
  """Refuses names that cannot be written, or that would overwrite an input."""
  named = f'--output={FLAGS.output}'
  if output.suffix.lower() == '.mp4':
    several = len(FLAGS.driver) > 1 or len(given()) > 1
    if several or FLAGS.png_frames:
      raise UserError(
        f'{named}: several people, several drivers or PNG frames need a folder,'
        ' not an .mp4'
      )
  elif output.suffix.lower() in VIDEO_EXTENSIONS:
    raise UserError(f'{named}: video is written as MP4; end the name in .mp4')
  elif len(given()) == 1:
    animation_folder.check_folder(output)
  elif output.exists() and not output.is_dir():
    raise UserError(f'{named}: is a file; several people need a folder')
  sounds = [FLAGS.driver_sound] if FLAGS.driver_sound else []
  for path in [*FLAGS.driver, *sounds, *FLAGS.source]:
    path = Path(path).expanduser()
    if not path.exists():  # before anything that takes long
      raise UserError(f'{path}: no such file or folder; check the name')
    if path.resolve().is_relative_to(output.resolve()):
      raise UserError(f'{named}: would overwrite {path}; give another name')
  if output.suffix.lower() == '.mp4':
    rendering.check_video(output)
