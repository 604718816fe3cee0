"""How fine-tuning went: its looks at held-out support frames, as charts.

A support frame that fine-tuning holds out is not one of the evaluation's own
held-out frames: those it never sees.
"""

import html
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_WIDTH, _HEIGHT = 270, 150  # of a panel, pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 24, 24
_LINE, _KEPT = '#b9bec8', '#c2410c'


class Panel(NamedTuple):
  """One quantity of the looks.

  Attributes:
    key: of a look.
    title: above the panel; None: what the curve calls it.
    scale: the shown number over the stored one.
  """

  key: str
  title: str | None
  scale: float


PANELS = (
  Panel('score', 'what decides', 1),
  Panel('loss', 'content loss', 1),
  Panel('landmark_error', 'landmark error %', 100),
  Panel('identity', None, 1),
)
MEANING = (
  'Looks of fine-tuning at the support frames that it holds out, over its'
  ' steps: a grey line for each person, their mean in black, and a dot where'
  ' the parameters were kept. What decides is the content loss as a share of'
  ' that before the first step, plus what landmark error and identity have lost'
  ' since then beyond their slack.'
)
ALONE = (
  'Nothing is held out of a single picture: the looks are at the picture'
  ' itself, and the last parameters are kept.'
)


def gather(rows: Sequence[dict]) -> list[dict]:
  """The curves of rows, for report.json.

  Args:
    rows: from protocol.evaluate, of people's own motion.

  Returns:
    For each T with curves, in rising order: num_shots; num_validation_frames;
    detector and identity, the names of the metrics; kept, the step by person;
    looks,
    the mean over people at each step with their number, None where nobody has
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
        'looks': _mean_looks(list(curves.values())),
      }
    )
  return gathered


def _mean_looks(curves) -> list[dict]:
  looks = [look for curve in curves for look in curve['results']]
  means = []
  for step in sorted({look['step'] for look in looks}):
    here = [look for look in looks if look['step'] == step]
    mean = {'step': step, 'num_people': len(here)}
    for panel in PANELS:
      values = [look[panel.key] for look in here]
      values = [value for value in values if value is not None]
      mean[panel.key] = float(np.mean(values)) if values else None
    means.append(mean)
  return means


def make_charts(rows: Sequence[dict]) -> str:
  """The curves of rows as HTML: for each T a row of panels.

  Args:
    rows: from protocol.evaluate, of people's own motion.

  Returns:
    A section with a drawing (SVG) for each T, which loads nothing; '' where
    nobody was fine-tuned.
  """
  gathered = gather(rows)
  if not gathered:
    return ''
  parts = ['<h2>Fine-tuning</h2>\n', f'<ul><li>{MEANING}</li>']
  if any(not mean['num_validation_frames'] for mean in gathered):
    parts.append(f'<li>{ALONE}</li>')
  parts.append('</ul>\n')
  for mean in gathered:
    curves = [
      row['curve']
      for row in rows
      if row['num_shots'] == mean['num_shots'] and row.get('curve')
    ]
    caption = _caption(mean)
    panels = [
      (panel._replace(title=panel.title or mean['identity']))
      for panel in PANELS
      if any(look[panel.key] is not None for look in mean['looks'])
    ]
    drawing = ''.join(
      _draw_panel(panel, i * _WIDTH, curves, mean['looks'])
      for i, panel in enumerate(panels)
    )
    width = _WIDTH * len(panels)
    parts.append(
      f'<figure><svg width="{width}" height="{_HEIGHT}" role="img"'
      f' viewBox="0 0 {width} {_HEIGHT}" font-size="11"'
      f' font-family="system-ui, sans-serif"><title>{caption}</title>'
      f'{drawing}</svg><figcaption>{caption}</figcaption></figure>\n'
    )
  return ''.join(parts)


def _caption(mean) -> str:
  kept = list(mean['kept'].values())
  held_out = mean['num_validation_frames'] or 'nothing'
  return (
    f'T = {mean["num_shots"]}, {held_out} held out; steps kept: {min(kept)} to'
    f' {max(kept)}, median {np.median(kept):g}, of {len(kept)}'
    f' {"person" if len(kept) == 1 else "people"}.'
  )


def _draw_panel(panel: Panel, left, curves, mean) -> str:
  """One panel; `left` is its place in the drawing, in pixels."""

  def points(looks):
    known = [look for look in looks if look[panel.key] is not None]
    steps = np.array([look['step'] for look in known], float)
    values = np.array([look[panel.key] for look in known], float)
    return steps, values * panel.scale

  series = [points(curve['results']) for curve in curves]
  values = np.concatenate([values for _, values in series])
  low, high = float(values.min()), float(values.max())
  margin = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
  bottom, top = low - margin, high + margin
  last = max(look['step'] for look in mean) or 1

  def place(steps, values):
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    x = left + _LEFT + np.asarray(steps) / last * width
    y = _TOP + (top - np.asarray(values)) / (top - bottom) * height
    return x, y

  def line(steps, values, style):
    path = ' '.join(
      f'{x:.1f},{y:.1f}' for x, y in zip(*place(steps, values), strict=True)
    )
    return f'<polyline fill="none" {style} points="{path}"/>'

  parts = [_frame(panel.title, left, (low, high), place, last)]
  parts += [line(*given, f'stroke="{_LINE}"') for given in series]
  parts.append(line(*points(mean), 'stroke="#20222a" stroke-width="2"'))
  for curve in curves:
    kept = [look for look in curve['results'] if look['step'] == curve['kept']]
    for x, y in zip(*place(*points(kept)), strict=True):
      parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{_KEPT}"/>')
  return ''.join(parts)


def _frame(title, left, ends, place, last) -> str:
  """Title, axes, and the numbers at their ends."""
  base = _HEIGHT - _BOTTOM
  parts = [
    f'<text x="{left + _LEFT}" y="14">{html.escape(title)}</text>',
    f'<path d="M{left + _LEFT},{_TOP} V{base} H{left + _WIDTH - _RIGHT}"'
    ' fill="none" stroke="#20222a"/>',
  ]
  for value in dict.fromkeys(ends):
    _, y = place(0, value)
    parts.append(
      f'<text x="{left + _LEFT - 4}" y="{y + 4:.1f}" text-anchor="end">'
      f'{value:.3g}</text>'
    )
  for step in (0, last):
    x, _ = place(step, ends[0])
    parts.append(
      f'<text x="{x:.1f}" y="{base + 15}" text-anchor="middle">{step}</text>'
    )
  return ''.join(parts)
