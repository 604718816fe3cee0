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

flags.DEFINE_enum('dataset', 'video_folder', DATASETS, 'Dataset to prepare.')
flags.DEFINE_string('data_dir', '', 'Folder that will hold the dataset.')
flags.DEFINE_integer(
  'image_size',
  None,
  'Side of stored frames in pixels. Default: 256; 128 for synthetic_heads.',
)
flags.DEFINE_bool('inspect', False, 'Describe a prepared dataset.')
flags.DEFINE_string(
  'output',
  '',
  '(--inspect) HTML page to write. Default: inspection.html beside the'
  ' records.',
)
flags.DEFINE_string('source', '', _VIDEOS + 'Folder of videos.')
flags.DEFINE_integer(
  'num_workers',
  None,
  '(videos, scanned_heads) Number of processes. Default: one per core.',
)
flags.DEFINE_multi_string(
  'beam',
  [],
  _VIDEOS + 'Option of Apache Beam, such as runner=FlinkRunner.',
)
flags.DEFINE_list('exclude', [], _FOLDER + 'Names of videos to omit.')
flags.DEFINE_list('only', [], _FOLDER + 'Names of the only videos to use.')
flags.DEFINE_string(
  'identities', '', _FOLDER + 'CSV file with the columns video and identity.'
)
flags.DEFINE_list(
  'test_identities',
  [],
  _FOLDER + "Identities of the split 'test': folders below --source, or names"
  ' of videos directly in it.',
)
flags.DEFINE_integer(
  'max_frames', 64, _VIDEOS + 'Largest number of frames of a video.'
)
flags.DEFINE_integer(
  'min_frames', 2, _VIDEOS + 'Videos with fewer frames are dropped.'
)
flags.DEFINE_integer(
  'min_face_size',
  48,
  _VIDEOS + 'Frames with smaller faces are dropped (pixels).',
)
flags.DEFINE_float(
  'min_sharpness', 0.012, _VIDEOS + 'Frames with blurrier faces are dropped.'
)
flags.DEFINE_float(
  'max_seconds', 900.0, _VIDEOS + 'Videos that take longer are dropped.'
)
flags.DEFINE_enum(
  'family',
  'makehuman',
  ['makehuman', 'ict'],
  "(scanned_heads) Source of the meshes; 'ict' has the split 'test' only.",
)
flags.DEFINE_integer(
  'num_identities', 500, _HEADS + "People of the split 'train'."
)
flags.DEFINE_integer(
  'num_test_identities', 20, _HEADS + "People of the split 'test'."
)
flags.DEFINE_integer('clips_per_identity', 2, _HEADS + 'Clips of each person.')
flags.DEFINE_integer('num_frames', 64, _HEADS + "Frames of a clip of 'train'.")
flags.DEFINE_integer(
  'num_test_frames', 64, _HEADS + "Frames of a clip of 'test'."
)
flags.DEFINE_float('fps', 25.0, _HEADS + 'Frames per second of a clip.')
flags.DEFINE_string(
  'mirror',
  '',
  '(scanned_heads) Folder of the published meshes and textures.',
)
flags.DEFINE_integer('seed', 0, _HEADS + 'Seed; other seeds give other people.')


def check() -> None:
  """Refuses flags that do not belong together, and folders in use."""
  if not FLAGS.data_dir:
    raise UserError(
      '--data_dir is missing: the folder that will hold the dataset'
    )
  if FLAGS.inspect:
    return
  if FLAGS.output:
    raise UserError(
      '--output: only with --inspect; records are written to --data_dir'
    )
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
