"""What the flags of launch.evaluate name: the model, evaluators, people."""

from pathlib import Path

from absl import flags

from flaxheads.evaluation import evaluators, methods, people, trials

from . import _config_flags, _logs

FLAGS = flags.FLAGS


def load_model():
  """The model and its digest; (None, '') where no method is the model's.

  Raises:
    UserError: no --model, or not of the paper's generator.
  """
  if not set(FLAGS.methods) & set(methods.MODEL_METHODS):
    return None, ''
  # Late: baselines need no networks.
  from flaxheads.fewshot.model import load_direct_model

  model = load_direct_model(FLAGS.model)
  return model, methods.digest_folder(Path(FLAGS.model).expanduser())


def load_bilayer():
  """The bi-layer model and its digest; None where it is not measured."""
  if methods.BILAYER not in FLAGS.methods:
    return None
  from flaxheads.fewshot.model import choose_bilayer_model, shipped_model

  folder = FLAGS.bilayer or shipped_model()
  model = choose_bilayer_model(folder)
  return model, methods.digest_folder(Path(folder).expanduser())


def _make_detection():
  if not FLAGS.detect:
    return None, 'No NME, AKD and frames without a face: --nodetect.'
  from flaxheads.landmarks.detect import DETECTOR, make_detector

  return evaluators.Detection(DETECTOR, make_detector()), ''


def make_evaluators(model, digest) -> evaluators.Evaluators:
  """What there is to measure with."""
  made = {
    'detection': _make_detection(),
    'critic': evaluators.make_critic(model, digest),
  }
  for kind in evaluators.KINDS:
    made[kind] = evaluators.load_network(kind, FLAGS[kind].value)
  absent = tuple(why for _, why in made.values() if why)
  parts = {name: part for name, (part, _) in made.items()}
  return evaluators.Evaluators(**parts, absent=absent)


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


def finetune_config(model):
  """The model's own settings, but for those that flags name."""
  return model and _config_flags.override('finetune', model.experiment.finetune)


def load_people(num_shots, image_size):
  """The trial of each person, and who was left out."""
  dropped = []
  found = _find_people(image_size, dropped)
  with _logs.progress_bar(found, 'loading', unit=' people') as bar:
    made = trials.make_trials(
      bar, num_shots, FLAGS.split_clip, FLAGS.num_test_frames, FLAGS.seed
    )
  for item in dropped:
    print(f'left out: {item["reason"]}')
  return made, dropped
