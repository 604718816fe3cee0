"""Validation curves of fine-tuning, as numbers and as charts.

Validation frames are support frames that fine-tuning sets aside. Test frames,
on which methods are evaluated, are never among them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

_PANEL = (2.7, 1.9)  # inches


class Panel(NamedTuple):
  """One quantity of the validation results.

  Attributes:
    key: of a result.
    title: above the panel; None: what the curve calls it.
    scale: the shown number over the stored one.
  """

  key: str
  title: str | None
  scale: float


class Chart(NamedTuple):
  """The curves of all people at one T."""

  caption: str
  figure: Figure


PANELS = (
  Panel('score', 'stopping criterion', 1),
  Panel('loss', 'content loss', 1),
  Panel('landmark_error', 'landmark error %', 100),
  Panel('identity', None, 1),
)
MEANING = (
  'Validation of fine-tuning over its steps: a grey line for each person, their'
  ' mean in black, and a dot where the parameters were kept. The first panel is'
  ' the criterion of early stopping: the content loss relative to its value'
  ' before the first step, plus the loss of landmark accuracy and identity'
  ' beyond their tolerance.'
)
ALONE = (
  'With a single support image nothing is kept aside: the curves are those of'
  ' the image itself, and the last parameters are kept.'
)


def gather(rows: Sequence[dict]) -> list[dict]:
  """The curves of rows, for report.json.

  Args:
    rows: from protocol.evaluate, of people's own motion.

  Returns:
    For each T with curves, in rising order: num_shots; num_validation_frames;
    detector and identity, the names of the metrics; kept, the step by person;
    results, the mean over people at each step with their number, None without
    a value. People whose fine-tuning had ended are not in later means.
  """
  gathered = []
  for t in sorted({row['num_shots'] for row in rows if row.get('curve')}):
    curves = {
      row['person']: row['curve']
      for row in rows
      if row['num_shots'] == t and row.get('curve')
    }
    first = next(iter(curves.values()))
    gathered.append(
      {
        'num_shots': t,
        **{
          k: first[k] for k in ('num_validation_frames', 'detector', 'identity')
        },
        'kept': {name: curve['kept'] for name, curve in curves.items()},
        'results': _mean_results(list(curves.values())),
      }
    )
  return gathered


def _mean_results(curves) -> list[dict]:
  results = [result for curve in curves for result in curve['results']]
  means = []
  for step in sorted({result['step'] for result in results}):
    here = [result for result in results if result['step'] == step]
    mean = {'step': step, 'num_people': len(here)}
    for panel in PANELS:
      values = [result[panel.key] for result in here]
      values = [value for value in values if value is not None]
      mean[panel.key] = float(np.mean(values)) if values else None
    means.append(mean)
  return means


def explain(gathered: Sequence[dict]) -> list[str]:
  """Sentences about the charts of `make_charts`, given those of `gather`."""
  alone = any(not mean['num_validation_frames'] for mean in gathered)
  return [MEANING, ALONE] if alone else [MEANING]


def make_charts(rows: Sequence[dict]) -> list[Chart]:
  """A chart for each T: one panel for each quantity that was measured.

  Args:
    rows: from protocol.evaluate, of people's own motion.

  Returns:
    Charts in rising order of T; none without fine-tuning.
  """
  charts = []
  for mean in gather(rows):
    curves = [
      row['curve']
      for row in rows
      if row['num_shots'] == mean['num_shots'] and row.get('curve')
    ]
    panels = [
      panel._replace(title=panel.title or mean['identity'])
      for panel in PANELS
      if any(result[panel.key] is not None for result in mean['results'])
    ]
    width, height = _PANEL
    figure = Figure((width * len(panels), height), layout='constrained')
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for panel, ax in zip(panels, axes, strict=True):
      _plot(ax, panel, curves, mean['results'])
    charts.append(Chart(_caption(mean), figure))
  return charts


def _caption(mean) -> str:
  kept = list(mean['kept'].values())
  count = mean['num_validation_frames'] or 'no'
  return (
    f'T = {mean["num_shots"]}, {count} validation frames; steps kept:'
    f' {min(kept)} to {max(kept)}, median {np.median(kept):g}, of {len(kept)}'
    f' {"person" if len(kept) == 1 else "people"}.'
  )


def _plot(ax, panel: Panel, curves, mean) -> None:
  """A line for each person, their mean, and dots where parameters were kept."""

  def points(results):
    known = [result for result in results if result[panel.key] is not None]
    steps = [result['step'] for result in known]
    return steps, [result[panel.key] * panel.scale for result in known]

  for curve in curves:
    ax.plot(*points(curve['results']), color='#b9bec8', linewidth=1)
  ax.plot(*points(mean), color='#20222a', linewidth=2)
  for curve in curves:
    kept = [
      result for result in curve['results'] if result['step'] == curve['kept']
    ]
    ax.plot(*points(kept), 'o', color='#c2410c', markersize=5)
  # A network's name is text, also where it holds a dollar.
  ax.set_title(panel.title, fontsize=9, loc='left', parse_math=False)
  ax.tick_params(labelsize=8)
  ax.spines[['top', 'right']].set_visible(False)
