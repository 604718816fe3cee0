r"""Measures a model against baselines on people it never saw.

python -m launch.evaluate --model=MODEL --source=CLIPS --output=out/evaluation
python -m launch.evaluate --model=MODEL --dataset=video_folder --data_dir=data \
  --split=test --max_people=50 --output=out/evaluation

Leaves report.html, report.json, table.md, pictures and the user study in the
output folder; docs/evaluation.md says what the numbers mean. The same command
again goes on where an interrupted one stopped. Pictures are signed as made of
real and synthetic ones; they carry no watermark.
"""

import dataclasses
import functools
from pathlib import Path

from absl import flags

from flaxheads.config import FinetuneConfig
from flaxheads.data.files import locked
from flaxheads.errors import UserError, check_choice, check_range
from flaxheads.evaluation import (
  instruments,
  methods,
  people,
  protocol,
  report,
  results,
  splits,
  study,
  study_page,
  trials,
)
from flaxheads.provenance.credentials import COMPOSITE
from launch import _baselines, _marks, app

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
  'image_size', None, "Pixels; the models', or 256 where none is needed."
)
flags.DEFINE_string(
  'detector', 'mediapipe', 'Measures the landmark error; none: leave it out.'
)
for _kind, (_names, _measures) in instruments.KINDS.items():
  flags.DEFINE_string(
    _kind,
    '',
    f'Measures {_measures}: weights of {" or ".join(_names)} as launch.weights'
    ' writes them; empty: from where it puts them; none: leave it out; random:'
    ' random weights, whose numbers mean nothing.',
  )
flags.DEFINE_bool(
  'cross', True, 'Also drive each person by the landmarks of the next one.'
)
flags.DEFINE_integer(
  'study_triplets', 120, 'Questions of the user study, study.html; 0: none.'
)
flags.DEFINE_multi_string(
  'study_answers',
  [],
  'Answers that study.html saved, for the USER column; repeatable.',
)
flags.DEFINE_string('output', None, 'Folder for the report.')
flags.DEFINE_integer('seed', 0, 'Of splits, fine-tuning and intervals.')
app.define_config(
  'finetune', FinetuneConfig(), "Rates and lengths; the model's own."
)
flags.adopt_module_key_flags(_baselines)  # for --help
flags.adopt_module_key_flags(_marks)


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
  check_range('--study_triplets', FLAGS.study_triplets, 0, 2000)
  if FLAGS.image_size is not None:
    check_range('--image_size', FLAGS.image_size, 16, 1024)


def _load_model():
  """The model and its digest; (None, '') where no method is the model's."""
  if not set(FLAGS.methods) & set(methods.MODEL_METHODS):
    return None, ''
  from flaxheads import fewshot  # late: baselines need no networks
  from flaxheads.fewshot.model import shipped_model

  folder = FLAGS.model or shipped_model()
  model = fewshot.load_model(FLAGS.model)
  return model, methods.digest_folder(Path(folder).expanduser())


def _make_detection():
  if FLAGS.detector == 'none':
    return None, 'No NME, AKD and frames without a face: --detector=none.'
  from flaxheads.landmarks.detect import make_detector

  detector = make_detector(FLAGS.detector)
  return instruments.Detection(FLAGS.detector, detector), ''


def _make_instruments(model, digest) -> instruments.Instruments:
  made = {
    'detection': _make_detection(),
    'critic': instruments.make_critic(model, digest),
  }
  for kind in instruments.KINDS:
    made[kind] = instruments.load_network(kind, FLAGS[kind].value)
  absent = tuple(why for _, why in made.values() if why)
  parts = {name: part for name, (part, _) in made.items()}
  return instruments.Instruments(**parts, absent=absent)


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
             num_test_frames detector inception arcface lpips seed x2face
             pix2pixhd""".split()
  finetune = finetune and dataclasses.asdict(finetune)
  return {**{n: FLAGS[n].value for n in names}, 'finetune': finetune, **others}


def _load_people(num_shots, image_size):
  """Everybody's trial, and who was left out."""
  dropped = []
  found = _find_people(image_size, dropped)
  with app.progress_bar(found, 'loading', unit=' people') as bar:
    made = trials.make_trials(
      bar, num_shots, FLAGS.split_clip, FLAGS.num_test_frames, FLAGS.seed
    )
  for item in dropped:
    print(f'left out: {item["reason"]}')
  return made, dropped


def _remarks(
  model, compared, measured_with, num_people, scores
) -> report.Remarks:
  warnings, notes = _baselines.remark(compared)
  warnings = [*measured_with.warnings, *warnings]
  absent = [*measured_with.absent, *notes]
  if 'ft' in FLAGS.methods:
    files = dataclasses.asdict(model.experiment.perceptual)
    if missing := [name for name, file in files.items() if not file]:
      warnings.append(
        f'Ours-FT: fine-tuned without {" and ".join(missing)}, which the paper'
        ' has for the content loss'
      )
  if FLAGS.cross and num_people < 2:
    absent.append('No cross-reenactment: there is but one person.')
  if scores.num_answers:
    absent.append(
      f'USER: {scores.num_answers} answers; participants:'
      f' {scores.num_participants}.'
    )
  else:
    absent.append(
      'No USER: nobody was asked yet; study.html asks, and --study_answers'
      ' brings its answers here.'
    )
  return report.Remarks(warnings, absent)


def _write_study(output, rounds, people_trials, store, seal) -> str:
  """Writes the page; says so, or why there is none."""
  if not FLAGS.study_triplets:
    return ''
  if not rounds:
    return f'no user study: nobody has {study.MIN_TEST_FRAMES} held-out frames'
  chosen = study.choose(rounds, FLAGS.study_triplets)
  path = output / study_page.STUDY
  study_page.write_study(path, chosen, people_trials, store, seal)
  return f'{path}: {sum(map(len, chosen))} questions for users'


def main():
  num_shots = _parse_num_shots()
  _check_flags()
  _marks.check_flags()
  paths = [Path(p).expanduser() for p in FLAGS.study_answers]
  answers = {path: study.read_answers(path) for path in paths}
  output = Path(FLAGS.output).expanduser()
  model, digest = _load_model()
  compared = _baselines.load(FLAGS.methods)
  finetune = _finetune_config(model)
  image_size = _baselines.choose_image_size(model, compared, FLAGS.image_size)
  measured_with = _make_instruments(model, digest)
  everybody, dropped = _load_people(num_shots, image_size)
  made = methods.make_methods(
    FLAGS.methods, model, finetune, FLAGS.seed, digest, compared
  )
  cross = FLAGS.cross and len(everybody) > 1
  facts = {'kind': 'evaluation', 'model_sha256': digest or ''}
  seal = _marks.sign_drawn(facts, COMPOSITE).seal
  settings = _settings(
    finetune,
    num_shots=num_shots,
    image_size=image_size,
    cross=cross,
    instruments=measured_with.identify(),
    model_sha256=digest or None,
    baselines_sha256={name: sha for name, (_, sha) in compared.items()},
  )

  store = results.Store(output)
  with locked(output):
    rows = protocol.evaluate(
      everybody,
      made,
      num_shots,
      store,
      measured_with,
      cross,
      functools.partial(app.progress_bar, desc='evaluating', unit=' results'),
    )
    rounds = study.make_triplets(rows, everybody)
    scores = study.score(answers, rounds)
    counted = len(everybody), scores
    remarks = _remarks(model, compared, measured_with, *counted)
    report.write_report(
      output,
      everybody,
      rows,
      store,
      settings,
      remarks,
      dropped,
      scores.shares,
      seal,
    )
    said = _write_study(output, rounds, everybody, store, seal)
  print((output / 'table.md').read_text(encoding='utf-8'))
  print(f'{output}: report.html, report.json, table.md, comparison.png')
  if said:
    print(said)


if __name__ == '__main__':
  app.run(main)
