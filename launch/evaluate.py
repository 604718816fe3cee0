r"""Measures a model against baselines on people it never saw.

python -m launch.evaluate --model=MODEL --source=CLIPS --output=out/evaluation
python -m launch.evaluate --model=MODEL --dataset=video_folder --data_dir=data \
  --split=test --max_people=50 --output=out/evaluation

Leaves report.json, table.md and comparison.png in the output folder. The same
command again goes on where an interrupted one stopped. The picture is signed as
made of real and synthetic ones; it carries no watermark.
"""

import dataclasses
import functools
from pathlib import Path

from absl import flags

from flaxheads.config import FinetuneConfig
from flaxheads.errors import UserError, check_choice, check_range
from flaxheads.evaluation import methods, people, protocol, report, splits
from flaxheads.provenance.credentials import COMPOSITE
from launch import _marks, app

FLAGS = flags.FLAGS

flags.DEFINE_string('model', None, 'Model folder; the shipped one.')
flags.DEFINE_string('dataset', None, 'Name of a prepared data set.')
flags.DEFINE_string('data_dir', None, 'Folder that holds the data set.')
flags.DEFINE_string('split', 'test', 'Split of the data set.')
flags.DEFINE_multi_string(
  'source',
  [],
  'Instead of a data set: a video, a folder of videos (a person each) or of'
  ' pictures (one person); repeatable.',
)
flags.DEFINE_list('num_shots', ['1', '8', '32'], 'Support frames, T; several.')
flags.DEFINE_list('methods', ['ff', 'ft', 'nearest', 'warp'], 'What to measure')
flags.DEFINE_string(
  'split_clip',
  'halves',
  'halves: the second half of a clip is held out; spread: held-out frames lie'
  ' between support frames.',
)
flags.DEFINE_integer('max_people', 50, 'At most so many people.')
flags.DEFINE_integer('num_test_frames', 32, 'Held-out frames, at most.')
flags.DEFINE_integer(
  'image_size', None, "Pixels; the model's, or 256 where no model is needed."
)
flags.DEFINE_string(
  'detector', 'mediapipe', 'Measures the landmark error; none: leave it out.'
)
flags.DEFINE_string('output', None, 'Folder for the report.')
flags.DEFINE_integer('seed', 0, 'Of splits, fine-tuning and intervals.')
app.define_config(
  'finetune', FinetuneConfig(), "Rates and lengths; the model's own."
)


def _parse_num_shots():
  given = ','.join(FLAGS.num_shots)
  try:
    num_shots = sorted({int(text) for text in FLAGS.num_shots})
  except ValueError:
    raise UserError(
      f'--num_shots={given}: whole numbers and commas are needed'
    ) from None
  if not num_shots or num_shots[0] < 1:
    raise UserError(f'--num_shots={given}: numbers from 1 on are needed')
  return num_shots


def _check_flags():
  if not FLAGS.output:
    raise UserError('--output is missing: the folder for the report')
  if Path(FLAGS.output).exists() and not Path(FLAGS.output).is_dir():
    raise UserError(f'--output={FLAGS.output}: a file; name a folder')
  if bool(FLAGS.dataset) == bool(FLAGS.source):
    raise UserError('give either --dataset (with --data_dir) or --source')
  if FLAGS.dataset and not FLAGS.data_dir:
    raise UserError('--data_dir is missing: the folder of the data set')
  methods.check_names(FLAGS.methods)
  check_choice('--split_clip', FLAGS.split_clip, splits.SPLITS)
  check_range('--max_people', FLAGS.max_people, 1)
  check_range('--num_test_frames', FLAGS.num_test_frames, 1)
  check_range('--seed', FLAGS.seed, 0)
  if FLAGS.image_size is not None:
    check_range('--image_size', FLAGS.image_size, 16, 1024)


def _load_model():
  """The model and its digest; (None, '') where only baselines are asked."""
  if not set(FLAGS.methods) & set(methods.MODEL_METHODS):
    return None, ''
  from flaxheads import fewshot  # late: baselines need no networks
  from flaxheads.fewshot.model import shipped_model

  folder = FLAGS.model or shipped_model()
  model = fewshot.load_model(FLAGS.model)
  size = model.config.image_size
  if FLAGS.image_size not in (None, size):
    raise UserError(
      f'--image_size={FLAGS.image_size}: the model draws {size}x{size}; leave'
      ' the flag out'
    )
  return model, methods.digest_folder(Path(folder).expanduser())


def _make_detection():
  if FLAGS.detector == 'none':
    return None
  from flaxheads.landmarks.detect import make_detector

  return protocol.Detection(FLAGS.detector, make_detector(FLAGS.detector))


def _find_people(image_size, dropped):
  if FLAGS.source:
    return people.from_sources(
      people.list_sources(Path(p).expanduser() for p in FLAGS.source),
      image_size,
      FLAGS.max_people,
      dropped=dropped,
    )
  from flaxheads.data.pipeline import make_source

  source = make_source(FLAGS.dataset, FLAGS.data_dir, FLAGS.split)
  return people.from_records(source, image_size, FLAGS.max_people)


def _finetune_config(model):
  return model and app.config_with_flags('finetune', model.experiment.finetune)


def _settings(finetune, **others):
  names = """model dataset data_dir split source methods split_clip
             num_test_frames detector seed""".split()
  finetune = finetune and dataclasses.asdict(finetune)
  return {**{n: FLAGS[n].value for n in names}, 'finetune': finetune, **others}


def main():
  num_shots = _parse_num_shots()
  _check_flags()
  _marks.check_flags()
  output = Path(FLAGS.output).expanduser()
  model, digest = _load_model()
  finetune = _finetune_config(model)
  image_size = model.config.image_size if model else FLAGS.image_size or 256
  detection = _make_detection()

  dropped = []
  found = _find_people(image_size, dropped)
  with app.progress_bar(found, 'loading', unit=' people') as bar:
    trials = protocol.make_trials(
      bar, num_shots, FLAGS.split_clip, FLAGS.num_test_frames, FLAGS.seed
    )
  for item in dropped:
    print(f'left out: {item["reason"]}')

  rows = protocol.evaluate(
    trials,
    methods.make_methods(FLAGS.methods, model, finetune, FLAGS.seed, digest),
    num_shots,
    output,
    detection,
    functools.partial(app.progress_bar, desc='evaluating', unit=' results'),
  )
  settings = _settings(
    finetune,
    num_shots=num_shots,
    image_size=image_size,
    model_sha256=digest or None,
  )
  facts = {'kind': 'evaluation', 'model_sha256': digest or ''}
  seal = _marks.sign_drawn(facts, COMPOSITE).seal
  report.write_report(output, trials, rows, settings, dropped, seal)
  print((output / 'table.md').read_text(encoding='utf-8'))
  print(f'{output}: report.json, table.md, comparison.png')


if __name__ == '__main__':
  app.run(main)
