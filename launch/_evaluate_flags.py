"""The flags of launch.evaluate, and which of them go together."""

import os

from absl import flags

from flaxheads.config import FinetuneConfig
from flaxheads.errors import UserError, check_choice, check_range
from flaxheads.evaluation import evaluators, methods, splits

from . import _baselines, _config_flags, _mark_flags, app

FLAGS = flags.FLAGS

flags.DEFINE_string('model', None, "Model of the paper's generator: ff and ft.")
flags.DEFINE_string('bilayer', None, 'Bi-layer model folder; the shipped one.')
flags.DEFINE_string('dataset', None, 'Name of a prepared dataset.')
flags.DEFINE_string('data_dir', None, 'Folder that holds the dataset.')
flags.DEFINE_string('split', 'test', 'Split of the dataset.')
flags.DEFINE_multi_string(
  'source',
  [],
  'Instead of a dataset: a video, a folder of videos (a person each) or of'
  ' pictures (one person); repeatable.',
)
flags.DEFINE_list('num_shots', ['1', '8', '32'], 'Support frames, T; several.')
flags.DEFINE_list(
  'methods',
  None,
  'What to measure; nearest, warp, mesh, and what there is a model for.',
)
flags.DEFINE_string(
  'split_clip',
  'halves',
  'halves: the second half of a clip is for testing; spread: test frames lie'
  ' between support frames.',
)
flags.DEFINE_integer('max_people', 50, 'At most so many people.')
flags.DEFINE_integer('num_test_frames', 32, 'Test frames, at most.')
flags.DEFINE_integer(
  'image_size', None, "Pixels; the models', or 256 where none is needed."
)
flags.DEFINE_bool(
  'detect', True, 'Detect faces in the results, for the landmark errors.'
)
for _kind, (_names, _measures) in evaluators.KINDS.items():
  flags.DEFINE_string(
    _kind,
    '',
    f'Measures {_measures}: weights of {" or ".join(_names)} as launch.weights,'
    ' or launch.export, writes them; empty: from where the former puts them;'
    ' none: leave it out; random: random weights, whose numbers mean nothing.',
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
_config_flags.define_config(
  'finetune', FinetuneConfig(), "Rates and lengths; the model's own."
)
flags.adopt_module_key_flags(_baselines)  # for --help
flags.adopt_module_key_flags(_mark_flags)


def parse_num_shots() -> list[int]:
  """Each T, in rising order."""
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


def choose_methods() -> None:
  """Gives --methods its default, which depends on the models."""
  if FLAGS.methods is not None:
    return
  from flaxheads.fewshot.model import shipped_model

  chosen = ['nearest', 'warp', methods.MESH]
  if FLAGS.model:
    chosen += methods.MODEL_METHODS
  if FLAGS.bilayer or os.path.isdir(shipped_model()):
    chosen.append(methods.BILAYER)
  FLAGS.methods = chosen


def check() -> None:
  """Refuses flags that are missing, unknown, or do not belong together."""
  choose_methods()
  if not FLAGS.output:
    raise UserError('--output is missing: the folder for the report')
  app.check_folder('output', FLAGS.output)
  if bool(FLAGS.dataset) == bool(FLAGS.source):
    raise UserError('give either --dataset (with --data_dir) or --source')
  if FLAGS.dataset and not FLAGS.data_dir:
    raise UserError('--data_dir is missing: the folder of the dataset')
  methods.check_names(FLAGS.methods)
  if FLAGS.bilayer and methods.BILAYER not in FLAGS.methods:
    raise UserError('--bilayer: is not among the --methods; add it there')
  check_choice('--split_clip', FLAGS.split_clip, splits.SPLITS)
  check_range('--max_people', FLAGS.max_people, 1)
  check_range('--num_test_frames', FLAGS.num_test_frames, 1)
  check_range('--seed', FLAGS.seed, 0)
  check_range('--study_triplets', FLAGS.study_triplets, 0, 2000)
  if FLAGS.image_size is not None:
    check_range('--image_size', FLAGS.image_size, 16, 1024)
  _mark_flags.check_flags()
