r"""Makes a dataset: ArrayRecord files, one record per video, and a report.

python -m launch.prepare --dataset=video_folder --source=VIDEOS \
  --test_identities=anna,ben --data_dir=data_dir
python -m launch.prepare --dataset=voxceleb2 --source=VOXCELEB2 \
  --data_dir=data_dir
python -m launch.prepare --dataset=synthetic_heads --num_identities=100 \
  --data_dir=data_dir
python -m launch.prepare --inspect --dataset=video_folder \
  --data_dir=data_dir
"""

import dataclasses
import json
import logging
import os

import tensorflow_datasets as tfds
import tqdm
from absl import flags
from absl import logging as absl_logging

from flaxheads.data import pipeline
from flaxheads.data.preparation import report
from flaxheads.errors import UserError

from . import _logs, _prepare_flags, app

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(_prepare_flags)  # for --help


def _videos():
  # Late, for Apache Beam takes a second. It also warns of cloud clients that
  # are not used, and logs and prints failures that surface as exceptions.
  logging.disable(logging.WARNING)
  from apache_beam.runners.worker import sdk_worker

  from flaxheads.data import video_folder, voxceleb
  from flaxheads.data.preparation import builder

  logging.disable(logging.NOTSET)
  logging.getLogger('apache_beam').setLevel(logging.CRITICAL)
  sdk_worker.print = lambda *_, **__: None
  builder_class = {
    'voxceleb2': voxceleb.VoxCeleb2,
    'voxceleb1': voxceleb.VoxCeleb1,
    'video_folder': video_folder.VideoFolder,
  }[FLAGS.dataset]
  options = _prepare_flags.make_options(builder_class.options_class)
  made = builder_class(
    options=options,
    pipeline_options=_prepare_flags.make_beam_options(builder),
    data_dir=FLAGS.data_dir,
  )
  return made, lambda: len(made.jobs)


def _synthetic_heads():
  from flaxheads.data.synthetic_heads import builder

  options = _prepare_flags.make_options(builder.SyntheticHeadsOptions)
  made = builder.SyntheticHeads(options=options, data_dir=FLAGS.data_dir)
  return made, options.num_clips


def _scanned_heads():
  from flaxheads.data.scanned_heads import assets, builder, opengl

  options = _prepare_flags.make_options(builder.ScannedHeadsOptions)
  made = builder.ScannedHeads(
    options=options,
    mirror=FLAGS.mirror,
    num_workers=FLAGS.num_workers or os.cpu_count() or 1,
    data_dir=FLAGS.data_dir,
  )
  if pipeline.find_dataset(FLAGS.dataset, FLAGS.data_dir) is None:
    files = assets.open_assets(FLAGS.mirror)
    files.fetch_wheel(_logs.progress_bar)
    files.check(options.family)
    opengl.context()
    print('\n'.join(assets.LICENCES))
  return made, options.num_clips


_RENDERED = {
  'synthetic_heads': _synthetic_heads,
  'scanned_heads': _scanned_heads,
}


def _build(builder, count):
  tfds.disable_progress_bar()  # ours counts videos
  with tqdm.tqdm(total=count(), unit='video', desc=FLAGS.dataset) as bar:
    return report.build(builder, on_outcome=lambda outcome: bar.update())


def _check_same(folder, options):
  made_from = report.read_report(folder).get('options', {})
  wanted = json.loads(json.dumps(dataclasses.asdict(options)))
  for name, value in wanted.items():
    if name in made_from and made_from[name] != value:
      raise UserError(
        f'--data_dir: {folder} exists already, made with'
        f' {name}={made_from[name]!r} instead of {value!r}; name another'
        ' --data_dir, or delete that folder'
      )


def _print_report(folder):
  made = report.read_report(folder)
  for name, split in made.get('splits', {}).items():
    print(
      f'{name}: {split["videos"]} videos of {split["identities"]} people,'
      f' {split["frames"]} frames'
    )
  for reason, count in made.get('dropped_by_reason', {}).items():
    print(f'dropped {count}: {reason}')
  for reason, count in made.get('frames_left_out_by_reason', {}).items():
    print(f'frames left out {count}: {reason}')
  pages = [name for name in report.PAGES if (folder / name).exists()]
  also = f'; some of it is in {" and ".join(pages)}' if pages else ''
  print(f'{folder} ({report.REPORT} says what was kept or dropped{also})')


def _inspect():
  from flaxheads.data import inspection, inspection_page

  sources = pipeline.open_splits(FLAGS.dataset, FLAGS.data_dir)
  output = inspection_page.check_output(FLAGS.output, sources)
  total = sum(map(len, sources))
  with _logs.progress_bar(total=total, unit=' videos', desc='reading') as bar:
    facts = inspection_page.write(
      output, FLAGS.dataset, sources, on_video=bar.update
    )
  print(inspection.table(facts))
  print(f'{output} (and {output.name}.report.json)')


def main():
  if not FLAGS['verbosity'].present:
    absl_logging.set_verbosity(absl_logging.WARNING)
  _prepare_flags.check()
  if FLAGS.inspect:
    _inspect()
    return
  builder, count = _RENDERED.get(FLAGS.dataset, _videos)()
  folder = pipeline.find_dataset(FLAGS.dataset, FLAGS.data_dir)
  if folder is None:
    folder = _build(builder, count)
  else:
    _check_same(folder, builder.options)
    print('exists already, made with the same options:')
  _print_report(folder)


if __name__ == '__main__':
  app.run(main)
