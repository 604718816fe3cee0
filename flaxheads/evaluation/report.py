"""What an evaluation leaves: report.json, table.md and comparison.png."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flaxheads.data.files import Seal, atomic_path
from flaxheads.data.image import contact_sheet, read_image, write_png
from flaxheads.evaluation import results
from flaxheads.evaluation.protocol import NUM_SHOWN, REAL, Trial, shown_frame


class Metric(NamedTuple):
  """How a number is named and written.

  Attributes:
    label: in the table, with its unit.
    arrow: the better direction.
    scale: the table's number over the stored one.
    digits: behind the point.
  """

  label: str
  arrow: str
  scale: float
  digits: int


METRICS = {
  'psnr': Metric('PSNR dB', '↑', 1, 2),
  'ssim': Metric('SSIM', '↑', 1, 3),
  'psnr_face': Metric('face PSNR dB', '↑', 1, 2),
  'nme': Metric('NME %', '↓', 100, 2),
  'failure_rate': Metric('no face %', '↓', 100, 1),
}
NOTES = (
  'Means over people with their 95 % bootstrap intervals. Face PSNR counts'
  ' the convex hull of the landmarks alone. NME is the mean distance of'
  ' detected from asked landmarks over the distance of the outer eye'
  ' corners, on frames where a face is found; the others are "no face".'
)


def summarise(rows: Sequence[dict], seed: int = 0) -> list[dict]:
  """Statistics over people for each method and number of shots.

  Args:
    rows: from protocol.evaluate.
    seed: of the bootstrap; the same for all, so that methods are compared on
      the same draws of people.

  Returns:
    One dictionary for each (T, method), in the order of the rows:
    num_shots, method, and mean, low, high and count for each metric.
  """
  groups = {}
  for row in rows:
    groups.setdefault((row['num_shots'], row['method']), []).append(row)
  summary = []
  for (num_shots, method), members in groups.items():
    entry = {'num_shots': num_shots, 'method': method}
    for metric in METRICS:
      values = [row[metric] for row in members]
      entry[metric] = results.bootstrap_mean(values, seed)._asdict()
    summary.append(entry)
  return summary


def _cell(metric: Metric, estimate: dict) -> str:
  def write(value):
    return f'{value * metric.scale:.{metric.digits}f}'

  if estimate['mean'] is None:
    return '–'
  if estimate['low'] is None:
    return write(estimate['mean'])
  low, high = write(estimate['low']), write(estimate['high'])
  return f'{write(estimate["mean"])} [{low}, {high}]'


def make_table(summary: Sequence[dict]) -> str:
  """Markdown: a row for each method, a group of columns for each T.

  Args:
    summary: from `summarise`.

  Returns:
    The table, and below it the detector's error on the real frames if it was
    measured; ends with a newline.
  """
  cells, shots, methods, floor = {}, [], [], None
  for entry in summary:
    if entry['method'] == REAL:
      floor = entry
      continue
    shots.append(entry['num_shots'])
    methods.append(entry['method'])
    cells[entry['num_shots'], entry['method']] = entry
  shots, methods = sorted(set(shots)), list(dict.fromkeys(methods))
  # Without a detector two columns would be empty.
  shown = {
    name: metric
    for name, metric in METRICS.items()
    if any(entry[name]['count'] for entry in cells.values())
  }
  header = ['method']
  for t in shots:
    header += [f'T={t} {m.label} {m.arrow}' for m in shown.values()]
  lines = [header, ['---'] + ['---:'] * (len(header) - 1)]
  for method in methods:
    line = [method]
    for t in shots:
      entry = cells.get((t, method))
      line += [
        _cell(metric, entry[name]) if entry else '–'
        for name, metric in shown.items()
      ]
    lines.append(line)
  text = ''.join(f'| {" | ".join(line)} |\n' for line in lines)
  if floor:
    nme = _cell(METRICS['nme'], floor['nme'])
    failures = _cell(METRICS['failure_rate'], floor['failure_rate'])
    text += (
      '\nThe detector on the real frames, a floor for every method: NME'
      f' {nme} %, no face {failures} %.\n'
    )
  return text


def make_comparison(trials: Sequence[Trial], rows, folder: Path) -> np.ndarray:
  """Contact sheet of the first people: a row for each person and T.

  Args:
    trials: those that were evaluated.
    rows: from protocol.evaluate, with the names of their pictures.
    folder: that these names are relative to.

  Returns:
    uint8 [H, W, 3]: a support frame, the real frame, each method's frame.
  """
  drawn = {
    (row['person'], row['num_shots'], row['method']): folder / row['picture']
    for row in rows
    if row.get('picture')
  }
  methods = list(dict.fromkeys(method for *_, method in drawn))
  sheet, labels = [], []
  for trial in trials[:NUM_SHOWN]:
    for t, support in trial.support.items():
      pictures = [
        trial.frames[support[len(support) // 2]],
        trial.frames[trial.test[shown_frame(trial)]],
      ]
      for method in methods:
        path = drawn.get((trial.name, t, method))
        pictures.append(read_image(path) if path else None)
      sheet.append(pictures)
      labels.append(f'{_shorten(trial.name)} T={t}')
  return contact_sheet(sheet, labels, ['support', 'real', *methods])


def _shorten(name: str, length: int = 24) -> str:
  return name if len(name) <= length else f'…{name[-length + 1 :]}'


def write_report(
  output: Path,
  trials: Sequence[Trial],
  rows,
  settings: dict,
  dropped=(),
  seal: Seal | None = None,
) -> dict:
  """Writes report.json, table.md and comparison.png; each whole or not at all.

  Args:
    output: the folder that protocol.evaluate wrote to.
    trials: those that were evaluated.
    rows: from protocol.evaluate.
    settings: JSON values to note; 'seed' is also the bootstrap's.
    dropped: dictionaries of sources that were left out, and why.
    seal: signs comparison.png; see flaxheads/data/files.py.

  Returns:
    What report.json holds.
  """
  output = Path(output)
  summary = summarise(rows, settings.get('seed', 0))
  report = {
    'settings': settings,
    'num_people': len(trials),
    'people': [
      {
        'name': trial.name,
        'num_test_frames': len(trial.test),
        'image_size': trial.frames.shape[1],
      }
      for trial in trials
    ],
    'dropped': list(dropped),
    'summary': summary,
    'rows': list(rows),
  }
  write_png(
    output / 'comparison.png', make_comparison(trials, rows, output), seal
  )
  people = 'person' if len(trials) == 1 else 'people'
  notes = f'{len(trials)} {people}. {NOTES}'
  _write_text(output / 'table.md', f'{make_table(summary)}\n{notes}\n')
  # Last: where there is a report, the rest is there too.
  text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False)
  _write_text(output / 'report.json', text + '\n')
  return report


def _write_text(path: Path, text: str) -> None:
  with atomic_path(path) as temporary:
    temporary.write_text(text, encoding='utf-8')
