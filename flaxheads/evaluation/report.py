"""Writes the results: report.json, table.md, images, report.html."""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxheads import pages
from flaxheads.data.image import contact_sheet, write_png
from flaxheads.data.output_files import Seal, atomic_path
from flaxheads.evaluation import curves, results, tables
from flaxheads.evaluation.protocol import REAL, kept_frames
from flaxheads.evaluation.summary import summarise
from flaxheads.evaluation.trials import Trial

NUM_SHOWN = 6  # people in a comparison image
_LEAST_SHOWN = 128  # pixels; smaller images have their pixels repeated
COMPARISON = 'comparison.png'
CROSS_COMPARISON = 'comparison_cross.png'
INTERVALS = (
  'Means over people with their 95 % bootstrap intervals (10,000 resamples of'
  ' people).'
)
DRIVEN = (
  'Cross-reenactment: each person is driven by the landmarks of the next one,'
  ' as they are. There is no true frame, and the face shape of the driver comes'
  ' along, a limit that the paper names.'
)


class Remarks(NamedTuple):
  """What a report says beside its numbers, in sentences.

  Attributes:
    warnings: of networks with random or substitute weights.
    absent: which metrics are missing, and why.
  """

  warnings: Sequence[str] = ()
  absent: Sequence[str] = ()


NO_REMARKS = Remarks()


def shown_frame(trial: Trial) -> int:
  """Which test frame the comparison image shows."""
  kept = kept_frames(trial)
  return int(kept[len(kept) // 2])


def _generated(row, store: results.Store) -> np.ndarray:
  frames = store.arrays(row)['frames']
  return frames[len(frames) // 2]


def _driving_frame(trial: Trial, driver: Trial) -> np.ndarray:
  last = len(driver.test) - 1
  return driver.frames[driver.test[min(shown_frame(trial), last)]]


def make_comparison(
  trials: Sequence[Trial], rows, store: results.Store, cross=False
) -> np.ndarray:
  """The paper's figure for the first people: T after T, a row each.

  Args:
    trials: those that were evaluated.
    rows: from protocol.evaluate.
    store: that holds the generated frames.
    cross: whether to show the rows with another's motion.

  Returns:
    uint8 [H, W, 3]: a support frame; the true frame, or the driver's; and each
    method's frame, in the order of the rows.
  """
  rows = [row for row in rows if row['method'] != REAL]
  rows = [row for row in rows if (row['driver'] is not None) == cross]
  by_place = {(r['person'], r['num_shots'], r['method']): r for r in rows}
  methods = list(dict.fromkeys(row['method'] for row in rows))
  by_name = {trial.name: trial for trial in trials}
  drivers = {row['person']: row['driver'] for row in rows}
  sheet, labels = [], []
  for t in sorted({row['num_shots'] for row in rows}):
    for trial in trials[:NUM_SHOWN]:
      support = trial.support[t]
      driver = by_name[drivers.get(trial.name) or trial.name]
      images = [
        trial.frames[support[len(support) // 2]],
        _driving_frame(trial, driver),
      ]
      for method in methods:
        row = by_place.get((trial.name, t, method))
        images.append(_generated(row, store) if row else None)
      sheet.append([None if p is None else _enlarge(p) for p in images])
      labels.append(f'T={t} {_shorten(trial.name)}')
  second = 'driver' if cross else 'ground truth'
  titles = [tables.method_title(method) for method in methods]
  return contact_sheet(sheet, labels, ['source', second, *titles])


def _enlarge(image: np.ndarray) -> np.ndarray:
  times = max(1, _LEAST_SHOWN // image.shape[0])
  return image.repeat(times, 0).repeat(times, 1)


def _shorten(name: str, length: int = 24) -> str:
  return name if len(name) <= length else f'…{name[-length + 1 :]}'


def _describe(trial: Trial) -> dict:
  return {
    'name': trial.name,
    'num_test_frames': len(trial.test),
    'image_size': trial.frames.shape[1],
  }


def _markdown(report: dict, made: list[tables.Table]) -> str:
  people = 'person' if report['num_people'] == 1 else 'people'
  parts = [f'> **Warning.** {text}\n' for text in report['warnings']]
  parts += [table.to_markdown() for table in made]
  parts.append(
    f'{report["num_people"]} {people}. {" ".join(report["notes"])}\n'
  )
  return '\n'.join(parts)


def _group_lines(table: tables.Table) -> dict:
  """A table with its lines grouped by T, which a rule separates."""
  groups = itertools.groupby(table.body, lambda cells: cells[0].split('(')[-1])
  return {**table._asdict(), 'groups': [list(lines) for _, lines in groups]}


def _make_page(
  report: dict, made: Sequence[tables.Table], figures: Sequence[Path]
) -> str:
  """The HTML of a report.

  Args:
    report: what report.json holds.
    made: of `tables.make_tables`.
    figures: PNG files to show; their bytes, signature and all, go into the
      page.

  Returns:
    A page that loads nothing and runs nothing.
  """
  return pages.render(
    'report.html',
    report=report,
    tables=[_group_lines(table) for table in made],
    figures=[
      {
        'name': path.name,
        'uri': pages.data_uri(path.read_bytes(), 'image/png'),
      }
      for path in figures
    ],
    charts=[
      {'caption': chart.caption, 'uri': pages.figure_uri(chart.figure)}
      for chart in curves.make_charts(report['rows'])
    ],
    chart_notes=curves.explain(report['finetuning']),
    settings=json.dumps(report['settings'], indent=2),
  )


def write_report(
  output: Path,
  trials: Sequence[Trial],
  rows: Sequence[dict],
  store: results.Store,
  settings: dict,
  remarks: Remarks = NO_REMARKS,
  dropped=(),
  user_scores: Mapping | None = None,
  seal: Seal | None = None,
) -> dict:
  """Writes all files of a report; each whole or not at all.

  Args:
    output: the folder.
    trials: those that were evaluated.
    rows: from protocol.evaluate.
    store: where these lie.
    settings: JSON values to note; 'seed' is also the bootstrap's.
    remarks: what to say beside.
    dropped: dictionaries of sources that were left out, and why.
    user_scores: of `study.score`, for the USER column.
    seal: signs the images; see flaxheads/data/output_files.py.

  Returns:
    What report.json holds.
  """
  output, seed = Path(output), settings.get('seed', 0)
  own = [row for row in rows if row['driver'] is None]
  real = [row for row in own if row['method'] == REAL]
  crossed = [row for row in rows if row['driver'] is not None]
  summary = summarise(own, seed, store.arrays, user_scores)
  cross = summarise([*crossed, *real], seed, store.arrays) if crossed else []
  notes = [INTERVALS, *([DRIVEN] if crossed else []), *remarks.absent]
  report = {
    'settings': settings,
    'warnings': list(remarks.warnings),
    'notes': notes,
    'num_people': len(trials),
    'people': [_describe(trial) for trial in trials],
    'dropped': list(dropped),
    'summary': summary,
    'cross_summary': cross,
    'finetuning': curves.gather(own),
    'rows': own,
    'cross_rows': crossed,
  }
  figures = {COMPARISON: False, **({CROSS_COMPARISON: True} if crossed else {})}
  for name, is_cross in figures.items():
    image = make_comparison(trials, rows, store, is_cross)
    write_png(output / name, image, seal)
  made = tables.make_tables(summary, cross)
  write_text(output / 'table.md', _markdown(report, made))
  paths = [output / name for name in figures]
  html = _make_page(report, made, paths)
  write_text(output / 'report.html', html)
  # Last: where there is a report, the rest is there too.
  text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False)
  write_text(output / 'report.json', text + '\n')
  return report


def write_text(path: Path, text: str) -> None:
  """Writes a text file; it is complete or absent."""
  with atomic_path(path) as temporary:
    temporary.write_text(text, encoding='utf-8')
