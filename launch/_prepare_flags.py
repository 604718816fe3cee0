"""The flags of launch.prepare, and the options that they make."""

import dataclasses
import os
import pathlib

from absl import flags

from flaxheads.data.output_files import check_writable
from flaxheads.errors import UserError

FLAGS = flags.FLAGS
DATASETS = (
  'voxceleb2',
  'voxceleb1',
  'video_folder',
  'synthetic_heads',
  'scanned_heads',
)
_VIDEOS = '(videos only) '
_FOLDER = '(video_folder) '
_HEADS = '(synthetic_heads, scanned_heads) '

flags.DEFINE_enum('dataset', 'video_folder', DATASETS, 'What to make.')
flags.DEFINE_string('data_dir', '', 'Folder that will hold the dataset.')
flags.DEFINE_integer(
  'image_size', None, 'Side of stored frames, pixels; default 256 or 128.'
)
flags.DEFINE_bool(
  'inspect', False, 'Describe the prepared dataset, and make nothing.'
)
flags.DEFINE_string(
  'output',
  '',
  '(--inspect) HTML page of samples; default: inspection.html beside the'
  ' records.',
)
flags.DEFINE_string('source', '', _VIDEOS + 'Folder of videos.')
flags.DEFINE_integer(
  'num_workers',
  None,
  '(videos, scanned_heads) Processes; default: one for each core.',
)
flags.DEFINE_multi_string(
  'beam',
  [],
  _VIDEOS + 'An option of Apache Beam, as --beam=runner=FlinkRunner.',
)
flags.DEFINE_list('exclude', [], _FOLDER + 'Videos to leave out, by stem.')
flags.DEFINE_list('only', [], _FOLDER + 'The only videos to take, by stem.')
flags.DEFINE_string(
  'identities', '', _FOLDER + 'CSV file: the columns video and identity.'
)
flags.DEFINE_list(
  'test_identities',
  [],
  _FOLDER + "People for the split 'test': a folder directly below --source, or"
  ' the stem of a video that lies directly in it.',
)
flags.DEFINE_integer('max_frames', 64, _VIDEOS + 'Frames kept of a video.')
flags.DEFINE_integer('min_frames', 2, _VIDEOS + 'With fewer, it is dropped.')
flags.DEFINE_integer(
  'min_face_size', 48, _VIDEOS + 'Pixels; smaller faces are left out.'
)
flags.DEFINE_float(
  'min_sharpness', 0.012, _VIDEOS + 'Faces with less detail are left out.'
)
flags.DEFINE_float(
  'max_seconds', 900.0, _VIDEOS + 'Limit for one video; beyond, it is dropped.'
)
flags.DEFINE_enum(
  'family',
  'makehuman',
  ['makehuman', 'ict'],
  "(scanned_heads) Whose meshes people have; 'ict' has the split 'test' alone.",
)
flags.DEFINE_integer('num_identities', 500, _HEADS + 'People to train on.')
flags.DEFINE_integer('num_test_identities', 20, _HEADS + 'Further people.')
flags.DEFINE_integer('clips_per_identity', 2, _HEADS + 'Clips of each.')
flags.DEFINE_integer('num_frames', 64, _HEADS + 'Frames of a clip.')
flags.DEFINE_integer('num_test_frames', 64, _HEADS + "Of a clip of 'test'.")
flags.DEFINE_float('fps', 25.0, _HEADS + 'Frames per second.')
flags.DEFINE_string(
  'mirror',
  '',
  '(scanned_heads) Folder that holds the published meshes and textures.',
)
flags.DEFINE_integer('seed', 0, _HEADS + 'Other seeds are other people.')


def check() -> None:
  """Refuses flags that do not belong together, and folders in use."""
  if not FLAGS.data_dir:
    raise UserError('--data_dir: name the folder that will hold the dataset')
  if FLAGS.inspect:
    return
  if FLAGS.output:
    raise UserError('--output: only with --inspect; records go to --data_dir')
  if '://' not in FLAGS.data_dir:  # a bucket tells for itself
    check_writable(pathlib.Path(FLAGS.data_dir).expanduser())


def make_options(options_class):
  """Every field that has a flag of its name takes its value."""
  values = {}
  for field in dataclasses.fields(options_class):
    value = FLAGS[field.name].value
    if value is not None:
      values[field.name] = tuple(value) if isinstance(value, list) else value
  if values.get('source') and '://' not in values['source']:
    path = pathlib.Path(values['source']).expanduser().resolve()
    values['source'] = str(path)
  return options_class(**values)


def make_beam_options(builder):
  """Of this machine's processes, or those that the user gives."""
  if not FLAGS.beam:
    return builder.local_options(FLAGS.num_workers or os.cpu_count() or 1)
  if FLAGS.num_workers:
    raise UserError('--num_workers: leave it out with --beam, or give it there')
  return builder.beam_options(FLAGS.beam)
