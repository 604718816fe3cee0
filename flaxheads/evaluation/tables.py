"""The tables of a report, with notes that explain their numbers."""

from collections.abc import Sequence
from typing import NamedTuple

from flaxheads.evaluation.methods import TITLES
from flaxheads.evaluation.protocol import REAL
from flaxheads.evaluation.summary import (
  TABLE_1,
  find_metric,
  is_metric,
  order,
  split_name,
)

# Of the real frames the other metrics are known beforehand.
_OF_REAL = ('nme', 'failure_rate', 'flicker', 'realism')
_SMALL = '*'
_PROXY = (
  'no CSIM, but the cosine of what a small proxy of ArcFace'
  ' makes of frames where a face is found; it compares the methods of this'
  ' table and nothing else'
)

MEANINGS = {
  'fid': (
    'distance of the Inception features of all generated frames of all people'
    ' from those of the real test frames. An asterisk marks sets with no more'
    ' images than features have dimensions (2048): their covariance is'
    ' singular and the value biased upwards; compare it only at equal numbers'
    ' of images. No interval, because resamples would be biased further'
  ),
  'ssim': 'structural similarity with the true frame',
  'csim': 'cosine of ArcFace embeddings, on frames where a face is found',
  'csim_sface': (
    'cosine of SFace embeddings, on frames where a face is found (no loss uses'
    ' SFace; cosines of other networks do not compare)'
  ),
  'user': (
    'share of users who found the generated image among three; 0.33 is chance'
    ' and the best'
  ),
  'kid': (
    'distance of the same two sets of features by an estimate without bias; it'
    ' can be negative'
  ),
  'lpips': 'perceptual distance from the true frame',
  'psnr': 'against the true frame',
  'psnr_face': 'the same in the convex hull of the landmarks alone',
  'nme': (
    'mean distance of the points detected in a generated frame from the'
    ' requested ones, over the distance of the outer eye corners. It includes'
    ' the error of the detector itself, which the row of real frames shows'
  ),
  'akd': (
    'mean distance of the points detected in a generated frame from those'
    ' detected in the true frame, over the distance of the outer eye corners of'
    ' the truth. Both come from one detector, so its bias for a face cancels.'
    ' Frames count where both have a face'
  ),
  'failure_rate': (
    'share of generated frames in which no face is found. Landmark errors omit'
    ' these frames: read both together'
  ),
  'flicker': (
    'mean change of the face from one test frame to the next that the'
    ' motion of the landmarks does not explain, in % of the range'
  ),
  'realism': (
    'score of the discriminator of the model, which knows the person from the'
    ' test frames. It has no unit, and the model was trained with it:'
    ' compare it within one model only'
  ),
}
_CSIM_OF = {
  False: ', with the true frame',
  True: ', with each of the T support frames',
}


class Table(NamedTuple):
  """A table of text.

  Attributes:
    title: above it.
    header: of each column.
    body: lines of cells.
    notes: sentences for below.
  """

  title: str
  header: list[str]
  body: list[list[str]]
  notes: list[str]

  def to_markdown(self) -> str:
    """The table with its title and notes; ends with a newline."""
    rule = ['---'] + ['---:'] * (len(self.header) - 1)
    lines = [self.header, rule, *self.body]
    text = ''.join(
      f'| {" | ".join(_escape(cell) for cell in line)} |\n' for line in lines
    )
    notes = ''.join(f'- {note}\n' for note in self.notes)
    return f'### {self.title}\n\n{text}\n{notes}'


def _escape(cell: str) -> str:
  return cell.replace('|', '\\|').replace('*', '\\*')


def method_title(name: str) -> str:
  """As the table and the figure call a method."""
  return TITLES.get(name, name)


def write_cell(key: str, estimate: dict | None) -> str:
  """A mean and its interval; '–' where there is no value."""
  metric = find_metric(key)

  def write(value):
    return f'{value * metric.scale:.{metric.digits}f}'

  if estimate is None or estimate['mean'] is None:
    return '–'
  text = write(estimate['mean'])
  if estimate.get('small_sample'):
    text += _SMALL
  if estimate['low'] is None:
    return text
  return f'{text} [{write(estimate["low"])}, {write(estimate["high"])}]'


def _columns(summary, wanted) -> list[str]:
  """Keys that have a value for at least one method."""
  keys = {
    key
    for entry in summary
    for key in entry
    if is_metric(key) and entry[key]['count'] and entry['method'] != REAL
  }
  return order(key for key in keys if wanted(split_name(key)[0]))


def _header(key):
  metric = find_metric(key)
  return f'{metric.label} {metric.arrow}'


def _body(summary, columns) -> list[list[str]]:
  """A line for each method, T after T, the real frames last."""
  generated = [entry for entry in summary if entry['method'] != REAL]
  lines = [
    [
      f'{method_title(entry["method"])} ({entry["num_shots"]})',
      *(write_cell(key, entry.get(key)) for key in columns),
    ]
    for entry in sorted(generated, key=lambda entry: entry['num_shots'])
  ]
  for entry in summary:
    own = [key for key in columns if split_name(key)[0] in _OF_REAL]
    if entry['method'] == REAL and own:
      cells = [
        write_cell(k, entry.get(k) if k in own else None) for k in columns
      ]
      lines.append(['Real frames', *cells])
  return lines


def _notes(columns, cross=False) -> list[str]:
  notes = []
  for key in columns:
    name, mark = split_name(key)
    more = _CSIM_OF[cross] if name.startswith('csim') else ''
    meaning = MEANINGS[name]
    if name == 'csim' and mark.startswith('proxy'):
      meaning = _PROXY
    notes.append(f'{find_metric(key).label}: {meaning}{more}.')
  return notes


def make_tables(summary: Sequence[dict], cross_summary=()) -> list[Table]:
  """Columns that were not measured are not there.

  Args:
    summary: of `summary.summarise`, of people's own motion.
    cross_summary: the same of others' motion; may be empty.

  Returns:
    The paper's Table 1, the further metrics, and cross-reenactment where it
    was run; a line for each method and T, T after T.
  """
  first = _columns(summary, lambda name: name in TABLE_1)
  further = _columns(summary, lambda name: name not in TABLE_1)
  crossed = _columns(cross_summary, lambda name: True)
  tables = [
    ('Self-reenactment', summary, first, False),
    ('Self-reenactment, further metrics', summary, further, False),
    ('Cross-reenactment', cross_summary, crossed, True),
  ]
  made, seen = [], set()
  for title, given, columns, cross in tables:
    if not columns:
      continue
    notes = [note for note in _notes(columns, cross) if note not in seen]
    seen.update(notes)
    header = ['Method (T)', *map(_header, columns)]
    made.append(Table(title, header, _body(given, columns), notes))
  return made
