r"""Makes a data set: ArrayRecord files with one record a video, and a report.

python -m launch.prepare --dataset=video_folder --source=VIDEOS \
  --test_identities=anna,ben --data_dir=data
python -m launch.prepare --dataset=synthetic_heads --num_identities=100 \
  --data_dir=data
python -m launch.prepare --inspect --dataset=video_folder --data_dir=data
"""

import dataclasses
import json
import logging
import pathlib

import tensorflow_datasets as tfds
import tqdm
from absl import flags
from absl import logging as absl_logging

from flaxheads.data import pipeline, preparation
from flaxheads.errors import UserError
from launch import app

FLAGS = flags.FLAGS
DATASETS = ('video_folder', 'synthetic_heads')
_VIDEOS = '(video_folder) '
_HEADS = '(synthetic_heads) '

flags.DEFINE_enum('dataset', 'video_folder', DATASETS, 'What to make.')
flags.DEFINE_string('data_dir', '', 'Folder that will hold the data set.')
flags.DEFINE_integer(
  'image_size', None, 'Side of stored frames, pixels; default 256 or 128.'
)
flags.DEFINE_bool(
  'inspect', False, 'Make nothing: say what the prepared data set holds.'
)
flags.DEFINE_string(
  'output',
  '',
  '(--inspect) PNG for a page of samples; default: inspection.png beside the'
  ' records.',
)
flags.DEFINE_string('source', '', _VIDEOS + 'Folder of videos, any nesting.')
flags.DEFINE_list('exclude', [], _VIDEOS + 'Videos to leave out, by stem.')
flags.DEFINE_list('only', [], _VIDEOS + 'The only videos to take, by stem.')
flags.DEFINE_list(
  'test_identities',
  [],
  _VIDEOS + "People for the split 'test': a folder directly below --source, or"
  ' the stem of a video that lies directly in it.',
)
flags.DEFINE_integer('max_frames', 64, _VIDEOS + 'Frames kept of a video.')
flags.DEFINE_integer('min_frames', 2, _VIDEOS + 'With fewer, it is dropped.')
flags.DEFINE_integer('num_identities', 500, _HEADS + 'People to train on.')
flags.DEFINE_integer('num_test_identities', 20, _HEADS + 'Further people.')
flags.DEFINE_integer('clips_per_identity', 2, _HEADS + 'Clips of each.')
flags.DEFINE_integer('num_frames', 64, _HEADS + 'Frames of a clip.')
flags.DEFINE_integer('num_test_frames', 64, _HEADS + "Of a clip of 'test'.")
flags.DEFINE_float('fps', 25.0, _HEADS + 'Frames a second.')
flags.DEFINE_integer('seed', 0, _HEADS + 'Other seeds are other people.')


def _options_from_flags(options_class):
  """Every field that has a flag of its name takes its value."""
  values = {}
  for field in dataclasses.fields(options_class):
    value = FLAGS[field.name].value
    if value is not None:
      values[field.name] = tuple(value) if isinstance(value, list) else value
  if values.get('source'):
    values['source'] = str(
      pathlib.Path(values['source']).expanduser().resolve()
    )
  return options_class(**values)


def _video_folder():
  # Late, for Apache Beam takes a second. It also warns of cloud clients that
  # nobody asked for, and logs failures that surface as exceptions anyway.
  logging.disable(logging.WARNING)
  from flaxheads.data import beam_build, video_folder

  logging.disable(logging.NOTSET)
  logging.getLogger('apache_beam').setLevel(logging.CRITICAL)
  options = _options_from_flags(video_folder.VideoFolderOptions)
  total = len(video_folder.list_jobs(options))
  return video_folder.VideoFolder, options, total, beam_build.local()


def _synthetic_heads():
  from flaxheads.data.synthetic_heads import builder

  options = _options_from_flags(builder.SyntheticHeadsOptions)
  return builder.SyntheticHeads, options, options.num_clips(), {}


def _build(builder_class, options, total, how):
  tfds.disable_progress_bar()  # ours counts videos
  builder = builder_class(options=options, data_dir=FLAGS.data_dir)
  with tqdm.tqdm(total=total, unit='video', desc=FLAGS.dataset) as bar:
    return preparation.build(
      builder, on_outcome=lambda outcome: bar.update(), **how
    )


def _check_same(folder, options):
  made_from = preparation.read_report(folder).get('options', {})
  wanted = json.loads(json.dumps(dataclasses.asdict(options)))
  for name, value in wanted.items():
    if name in made_from and made_from[name] != value:
      raise UserError(
        f'--data_dir: {folder} is there already, made with'
        f' {name}={made_from[name]!r} instead of {value!r}; name another'
        ' --data_dir, or delete that folder'
      )


def _print_report(folder):
  report = preparation.read_report(folder)
  for name, split in report.get('splits', {}).items():
    print(
      f'{name}: {split["videos"]} videos of {split["identities"]} people,'
      f' {split["frames"]} frames'
    )
  for reason, count in report.get('dropped_by_reason', {}).items():
    print(f'dropped {count}: {reason}')
  print(f'{folder} ({preparation.REPORT} says what was kept or dropped)')


def _inspect():
  from flaxheads.data import inspection, inspection_page

  sources = pipeline.open_splits(FLAGS.dataset, FLAGS.data_dir)
  output = inspection_page.check_output(FLAGS.output, sources)
  total = sum(map(len, sources))
  with app.progress_bar(total=total, unit=' videos', desc='reading') as bar:
    facts = inspection_page.write(
      output, FLAGS.dataset, sources, on_video=bar.update
    )
  print(inspection.table(facts))
  print(f'{output} (and {output.name}.report.json)')


def main():
  if not FLAGS['verbosity'].present:
    absl_logging.set_verbosity(absl_logging.WARNING)
  if not FLAGS.data_dir:
    raise UserError('--data_dir: name the folder that will hold the data set')
  if FLAGS.inspect:
    _inspect()
    return
  if FLAGS.output:
    raise UserError('--output: only with --inspect; records go to --data_dir')
  makers = {'video_folder': _video_folder, 'synthetic_heads': _synthetic_heads}
  builder_class, options, total, how = makers[FLAGS.dataset]()
  folder = pipeline.find_dataset(FLAGS.dataset, FLAGS.data_dir)
  if folder is None:
    folder = _build(builder_class, options, total, how)
  else:
    _check_same(folder, options)
    print('there already, made with the same options:')
  _print_report(folder)


if __name__ == '__main__':
  app.run(main)
