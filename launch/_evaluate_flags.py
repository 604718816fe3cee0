"""The flags of launch.evaluate, and which of them go together."""

import os

from absl import flags

from flaxheads.config import FinetuneConfig
from flaxheads.errors import UserError, check_choice, check_range
from flaxheads.evaluation import evaluators, methods, splits

from . import _baselines, _config_flags, _mark_flags, app

FLAGS = flags.FLAGS

flags.DEFINE_string(
  'model', None, "Model folder of the paper's generator, for ff and ft."
)
flags.DEFINE_string(
  'bilayer', None, 'Folder of a bi-layer model. Default: the shipped one.'
)
flags.DEFINE_string('dataset', None, 'Name of a prepared dataset.')
flags.DEFINE_string('data_dir', None, 'The --data_dir of launch.prepare.')
flags.DEFINE_string('split', 'test', 'Split of the dataset to evaluate.')
flags.DEFINE_multi_string(
  'source',
  [],
  'Instead of a dataset: a video, a folder of videos (one person each), or a'
  ' folder of images (one person).',
)
flags.DEFINE_list(
  'num_shots', ['1', '8', '32'], 'Numbers of support frames (T).'
)
flags.DEFINE_list(
  'methods',
  None,
  'Methods to evaluate. Default: nearest, warp, mesh, and those of the models'
  ' that are given.',
)
flags.DEFINE_string(
  'split_clip',
  'halves',
  'halves: test frames are from the second half of a clip. spread: test frames'
  ' lie between support frames.',
)
flags.DEFINE_integer('max_people', 50, 'Largest number of people.')
flags.DEFINE_integer('num_test_frames', 32, 'Largest number of test frames.')
flags.DEFINE_integer(
  'image_size', None, "Side of frames in pixels. Default: the models', or 256."
)
flags.DEFINE_bool(
  'detect', True, 'Detect faces in generated frames, for NME and AKD.'
)
for _kind, (_names, _measures) in evaluators.KINDS.items():
  flags.DEFINE_string(
    _kind,
    '',
    f'Weights for {_measures}: a file of {" or ".join(_names)} by'
    ' launch.weights or launch.export. Default: where launch.weights writes'
    ' it. none: omit the metric. random: random weights, to try the command.',
  )
flags.DEFINE_bool(
  'cross', True, 'Evaluate cross-reenactment: each person driven by the next.'
)
flags.DEFINE_integer(
  'study_triplets', 120, 'Number of questions in study.html. 0: write no study.'
)
flags.DEFINE_multi_string(
  'study_answers',
  [],
  'File of answers that study.html saved.',
)
flags.DEFINE_string('output', None, 'Folder for the report.')
flags.DEFINE_integer('seed', 0, 'Seed of splits, fine-tuning and intervals.')
_config_flags.define_config(
  'finetune', FinetuneConfig(), "Fields of fine-tuning. Default: the model's."
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
      f'--num_shots={given}: give whole numbers, separated by commas'
    ) from None
  if not num_shots or num_shots[0] < 1:
    raise UserError(f'--num_shots={given}: give numbers of at least 1')
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
    raise UserError('--bilayer is given, but --methods lacks bilayer; add it')
  check_choice('--split_clip', FLAGS.split_clip, splits.SPLITS)
  check_range('--max_people', FLAGS.max_people, 1)
  check_range('--num_test_frames', FLAGS.num_test_frames, 1)
  check_range('--seed', FLAGS.seed, 0)
  check_range('--study_triplets', FLAGS.study_triplets, 0, 2000)
  if FLAGS.image_size is not None:
    check_range('--image_size', FLAGS.image_size, 16, 1024)
  _mark_flags.check_flags()
