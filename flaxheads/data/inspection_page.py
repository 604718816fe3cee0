"""The page of `inspection`: distributions above, samples below."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from flaxheads import pages
from flaxheads.data import inspection
from flaxheads.data.image import encode_png
from flaxheads.data.inspection import MEASURES, Sample, Split
from flaxheads.data.output_files import atomic_paths
from flaxheads.errors import UserError
from flaxheads.landmarks import layout

SHOWN = 160  # side of a sample, pixels
NUM_SAMPLES = 21, 7  # of the first split, and of the others
_BINS = 30
_FINER = 8  # fractional bits of cv2's coordinates
_TITLES = {
  'yaw': 'yaw, ° (right +)',
  'pitch': 'pitch, ° (down +)',
  'roll': 'roll, ° (clockwise +)',
  'face_size': 'face, % of the side',
  'frames_per_video': 'frames per video',
}


def draw_over(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
  """Draws the strokes of the 68-point layout over an image.

  Args:
    frame: uint8 RGB [S, S, 3].
    points: float [68, 2], (x, y) in pixels of it; may lie outside.

  Returns:
    uint8 RGB [S, S, 3].
  """
  drawn = np.array(frame, order='C')  # a copy: cv2 draws in place
  # cv2 has pixel centres at whole numbers; far points would overflow it.
  moved = np.clip(points - 0.5, -(2**12), 2**12) * 2**_FINER
  for (members, closed), colour in zip(
    layout.STROKES, layout.STROKE_COLOURS, strict=True
  ):
    line = moved[list(members)].round().astype(np.int32)
    rgb = tuple(int(255 * part) for part in colour)
    cv2.polylines(drawn, [line], closed, rgb, 1, cv2.LINE_AA, _FINER)
  return drawn


def _bin_edges(values: list[np.ndarray], symmetric: bool) -> np.ndarray:
  """Edges of bins shared by all splits; outliers fall into the outermost."""
  values = np.concatenate(values)
  values = values[np.isfinite(values)]
  if not len(values):
    return np.linspace(0, 1, _BINS + 1)
  low, high = np.quantile(values, (0.001, 0.999))
  if symmetric:
    low, high = min(low, -high), max(high, -low)
  if high - low < 1e-6:
    low, high = low - 1, high + 1
  return np.linspace(low, high, _BINS + 1)


def plot_distributions(splits: list[Split]) -> Figure:
  """A histogram of each of MEASURES, as shares, with a line for each split."""
  figure = Figure((12, 1.9), layout='constrained')
  for ax, name in zip(figure.subplots(1, len(MEASURES)), MEASURES, strict=True):
    values = [split.values[name] for split in splits]
    edges = _bin_edges(values, MEASURES[name] == 'degrees')
    for split, each in zip(splits, values, strict=True):
      kept = np.clip(each[np.isfinite(each)], edges[0], edges[-1])
      shares = np.histogram(kept, edges)[0] / max(1, len(kept))
      ax.stairs(shares, edges, label=split.name)
    ax.set_title(_TITLES[name], fontsize=9, loc='left')
    ax.tick_params(labelsize=8)
    ax.set_yticks([])
    ax.spines[['top', 'right', 'left']].set_visible(False)
  figure.axes[0].legend(fontsize=8, frameon=False)
  return figure


def _describe(sample: Sample) -> dict:
  pose = (sample.yaw, sample.pitch, sample.roll)
  image = encode_png(draw_over(sample.frame, sample.points))
  return {
    'video_id': sample.video_id,
    'uri': pages.data_uri(image, 'image/png'),
    'angles': '  '.join(
      '–' if np.isnan(angle) else f'{round(angle):+d}°' for angle in pose
    ),
  }


def make_page(dataset: str, splits: list[Split]) -> str:
  """The HTML of the page.

  Args:
    dataset: its name.
    splits: of `inspection.inspect_split`.

  Returns:
    Distributions over all splits, then the samples of each with their video,
    yaw, pitch and roll.
  """
  return pages.render(
    'inspection.html',
    dataset=dataset,
    distributions=pages.figure_uri(plot_distributions(splits)),
    splits=[
      {**split._asdict(), 'samples': list(map(_describe, split.samples))}
      for split in splits
    ],
  )


def check_output(output: str, sources) -> Path:
  """Where the page goes.

  Args:
    output: an HTML file; empty: inspection.html beside the records.
    sources: the splits of one dataset.

  Raises:
    UserError: not the name of an HTML file in an existing folder.
  """
  path = Path(output or f'{sources[0].folder}/inspection.html').expanduser()
  if path.suffix.lower() != '.html':
    raise UserError(
      f'--output={output}: not an HTML file; end the name in .html'
    )
  if not path.parent.is_dir():
    raise UserError(f'--output={output}: its folder does not exist; create it')
  return path


def write(
  output: Path,
  dataset: str,
  sources,
  *,
  on_video: Callable[[], None] = lambda: None,
) -> dict:
  """Inspects all splits, and writes the page and the facts beside it.

  Args:
    output: of `check_output`; the facts go to OUTPUT.report.json.
    dataset: its name.
    sources: `pipeline.RecordSource` of each split.
    on_video: called after every record.

  Returns:
    The facts, see `inspection.summary`.

  Raises:
    UserError: a record is damaged; nothing is written.
  """
  splits = [
    inspection.inspect_split(
      source,
      num_samples=NUM_SAMPLES[min(number, 1)],
      shown=SHOWN,
      on_video=on_video,
    )
    for number, source in enumerate(sources)
  ]
  facts = inspection.summary(dataset, splits)
  page = make_page(dataset, splits)
  with atomic_paths(output, f'{output}.report.json') as (html, report):
    html.write_text(page, encoding='utf-8')
    report.write_text(json.dumps(facts, indent=2) + '\n')
  return facts
