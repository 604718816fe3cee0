r"""Evaluates methods and models on people that they were not trained on.

python -m launch.evaluate --source=CLIPS --output=out/evaluation
python -m launch.evaluate --model=MODEL --source=CLIPS --output=out/evaluation
python -m launch.evaluate --model=MODEL --dataset=video_folder \
  --data_dir=data_dir --max_people=50 --output=out/evaluation

Writes report.html, report.json, table.md, images and the user study to the
output folder; docs/evaluation.md explains the numbers. The same command
resumes an interrupted evaluation. Images are signed as composites of real
and synthetic ones, and carry no watermark.
"""

import dataclasses
import functools
from pathlib import Path

from absl import flags

from flaxheads.data.output_files import locked
from flaxheads.evaluation import (
  evaluators,
  methods,
  protocol,
  report,
  results,
  study,
  study_page,
)
from flaxheads.provenance.credentials import COMPOSITE

from . import _baselines, _evaluate_flags, _logs, _mark_flags, app
from . import _evaluate_parts as parts

FLAGS = flags.FLAGS
flags.adopt_module_key_flags(_evaluate_flags)  # for --help


def _settings(finetune, **others):
  names = """model bilayer dataset data_dir split source methods split_clip
             num_test_frames inception arcface sface lpips seed x2face
             pix2pixhd""".split()
  finetune = finetune and dataclasses.asdict(finetune)
  return {**{n: FLAGS[n].value for n in names}, 'finetune': finetune, **others}


def _remarks(
  model, compared, measured_with, num_people, scores
) -> report.Remarks:
  warnings, notes = _baselines.remark(compared)
  warnings = [*measured_with.warnings, *warnings]
  absent = [*measured_with.absent, *notes]
  if 'ft' in FLAGS.methods:
    files = model.experiment.perceptual
    if missing := [n for n in ('vgg19', 'vggface') if not getattr(files, n)]:
      warnings.append(
        f'Ours-FT: fine-tuned without {" and ".join(missing)}, which the paper'
        ' has for the content loss'
      )
  if FLAGS.cross and num_people < 2:
    absent.append('No cross-reenactment: there is only one person.')
  if scores.num_answers:
    absent.append(
      f'USER: {scores.num_answers} answers; participants:'
      f' {scores.num_participants}.'
    )
  else:
    absent.append(
      'No USER: there are no answers yet; study.html collects them, and'
      ' --study_answers reads them.'
    )
  return report.Remarks(warnings, absent)


def _write_study(output, rounds, people_trials, store, seal) -> str:
  """Writes the page; says so, or why there is none."""
  if not FLAGS.study_triplets:
    return ''
  if not rounds:
    return f'no user study: no person has {study.MIN_TEST_FRAMES} test frames'
  chosen = study.choose(rounds, FLAGS.study_triplets)
  path = output / study_page.STUDY
  study_page.write_study(path, chosen, people_trials, store, seal)
  return f'{path}: {sum(map(len, chosen))} questions for users'


def _read_answers() -> dict[Path, list]:
  paths = [Path(path).expanduser() for path in FLAGS.study_answers]
  return {path: study.read_answers(path) for path in paths}


def _make_methods(model, finetune, digest, measured_with, compared, bilayer):
  return methods.make_methods(
    FLAGS.methods,
    model,
    finetune,
    FLAGS.seed,
    digest,
    validator=model and evaluators.make_validator(model, measured_with),
    trained=compared,
    bilayer=bilayer,
  )


def main():
  """Evaluates."""
  num_shots = _evaluate_flags.parse_num_shots()
  _evaluate_flags.check()
  answers = _read_answers()
  output = Path(FLAGS.output).expanduser()
  model, digest = parts.load_model()
  bilayer = parts.load_bilayer()
  compared = _baselines.load(FLAGS.methods)
  finetune = parts.finetune_config(model)
  image_size = _baselines.choose_image_size(model, compared, FLAGS.image_size)
  measured_with = parts.make_evaluators(model, digest)
  people, dropped = parts.load_people(num_shots, image_size)
  made = _make_methods(
    model, finetune, digest, measured_with, compared, bilayer
  )
  cross = FLAGS.cross and len(people) > 1
  facts = {'kind': 'evaluation', 'model_sha256': digest or ''}
  seal = _mark_flags.sign_only(facts, COMPOSITE).seal
  settings = _settings(
    finetune,
    num_shots=num_shots,
    image_size=image_size,
    cross=cross,
    evaluators=measured_with.identify(),
    model_sha256=digest or None,
    bilayer_sha256=bilayer and bilayer[1],
    baselines_sha256={name: sha for name, (_, sha) in compared.items()},
  )

  store = results.Store(output)  # makes the folder
  with locked(output):
    rows = protocol.evaluate(
      people,
      made,
      num_shots,
      store,
      measured_with,
      cross,
      functools.partial(_logs.progress_bar, desc='evaluating', unit=' results'),
    )
    rounds = study.make_triplets(rows, people)
    scores = study.score(answers, rounds)
    report.write_report(
      output,
      people,
      rows,
      store,
      settings,
      _remarks(model, compared, measured_with, len(people), scores),
      dropped,
      scores.shares,
      seal,
    )
    summary = _write_study(output, rounds, people, store, seal)
  print((output / 'table.md').read_text(encoding='utf-8'))
  print(f'{output}: report.html, report.json, table.md, comparison.png')
  if summary:
    print(summary)


if __name__ == '__main__':
  app.run(main)
