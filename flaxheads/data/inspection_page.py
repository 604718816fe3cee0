"""The page of `inspection`: distributions above, samples below."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from flaxheads.data import inspection
from flaxheads.data.image import write_png
from flaxheads.data.inspection import MEASURES, Sample, Split
from flaxheads.data.output_files import atomic_paths
from flaxheads.errors import UserError
from flaxheads.landmarks import layout

SHOWN = 160  # side of a sample, pixels
COLUMNS = 7
_ROWS = 3  # of the first split; the others have one
_GAP = 12
_MARGIN = 28
_CAPTION = 34
_PLOT_HEIGHT = 96
_INK, _GREY, _PALE = (32, 34, 38), (120, 124, 130), (222, 225, 229)
_COLOURS = ((48, 105, 178), (230, 130, 40), (60, 150, 90), (150, 80, 160))
_BINS = 30
_FINER = 8  # bits behind the point for cv2: a line may begin between pixels
_WIDTH = 2 * _MARGIN + COLUMNS * SHOWN + (COLUMNS - 1) * _GAP
_TITLES = {
  'yaw': 'yaw, ° (right +)',
  'pitch': 'pitch, ° (down +)',
  'roll': 'roll, ° (clockwise +)',
  'face_size': 'face, % of the side',
  'frames_per_video': 'frames per video',
}


def _font(size):
  return ImageFont.load_default(size)


def draw_over(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
  """Draws the strokes of the 68-point layout over a picture.

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


def _shorten(draw, text, font, width):
  """Keeps the end of a name, which tells videos of a person apart."""
  if draw.textlength(text, font) <= width:
    return text
  while text and draw.textlength('…' + text, font) > width:
    text = text[1:]
  return '…' + text


def _edges(values, around_zero):
  values = np.concatenate(values)
  values = values[np.isfinite(values)]
  if not len(values):
    return np.linspace(0, 1, _BINS + 1)
  # All but the strays; they are counted in the outermost bins.
  low, high = np.quantile(values, (0.001, 0.999))
  if around_zero:
    low, high = min(low, -high), max(high, -low)
  if high - low < 1e-6:
    low, high = low - 1, high + 1
  return np.linspace(low, high, _BINS + 1)


def _plot(draw, corner, width, name, values):
  """One distribution: an outline for each split, over shared bins."""
  x, y = corner
  draw.text((x, y), _TITLES[name], _INK, _font(14))
  bottom = y + 24 + _PLOT_HEIGHT
  edges = _edges(values, MEASURES[name] == 'degrees')
  places = np.linspace(x, x + width, _BINS + 1)
  shares = []
  for each in values:
    kept = np.clip(each[np.isfinite(each)], edges[0], edges[-1])
    shares.append(np.histogram(kept, edges)[0] / max(1, len(kept)))
  most = max(share.max() for share in shares) or 1
  for number, share in enumerate(shares):
    heights = bottom - _PLOT_HEIGHT * share / most
    colour = _COLOURS[number % len(_COLOURS)]
    if number == 0:
      pale = tuple((c + 2 * 255) // 3 for c in colour)
      for left, right, height in zip(
        places[:-1], places[1:], heights, strict=True
      ):
        if height < bottom - 0.5:
          draw.rectangle((left, height, right - 1, bottom), pale)
    outline = np.stack([np.repeat(places, 2)[1:-1], np.repeat(heights, 2)], -1)
    draw.line([tuple(map(float, p)) for p in outline], colour, 2)
  draw.line((x, bottom, x + width, bottom), _GREY, 1)
  middle = (edges[0] + edges[-1]) / 2
  for value, place, anchor in (
    (edges[0], x, 'la'),
    (middle, x + width / 2, 'ma'),
    (edges[-1], x + width, 'ra'),
  ):
    text = f'{round(float(value)):d}'
    draw.text((place, bottom + 5), text, _GREY, _font(12), anchor)


def _sample(page, draw, corner, sample: Sample):
  x, y = corner
  picture = draw_over(sample.frame, sample.points)
  page.paste(Image.fromarray(picture), corner)
  name = _shorten(draw, sample.video_id, _font(12), SHOWN)
  draw.text((x, y + SHOWN + 4), name, _INK, _font(12))
  pose = (sample.yaw, sample.pitch, sample.roll)
  angles = '  '.join(
    '–' if np.isnan(angle) else f'{round(angle):+d}°' for angle in pose
  )
  draw.text((x, y + SHOWN + 18), angles, _GREY, _font(12))


def _heading(draw, y, split: Split, colour):
  counts = (
    f'{len(split.identities)} people, {split.num_videos} videos,'
    f' {split.num_frames} frames'
  )
  draw.rectangle((_MARGIN, y + 3, _MARGIN + 14, y + 17), colour)
  draw.text((_MARGIN + 22, y), split.name, _INK, _font(17))
  left = _MARGIN + 34 + draw.textlength(split.name, _font(17))
  draw.text((left, y + 2), counts, _GREY, _font(15))


def make_page(dataset: str, splits: list[Split]) -> np.ndarray:
  """Draws the page.

  Args:
    dataset: its name.
    splits: of `inspection.inspect_split`, their samples SHOWN pixels wide.

  Returns:
    uint8 RGB [H, W, 3]: distributions over all splits, then the samples of
    each with name, yaw, pitch and roll, from the head that looks furthest to
    the left.
  """
  rows = [-(-len(split.samples) // COLUMNS) for split in splits]
  below_plots = _MARGIN + 44 + 24 + _PLOT_HEIGHT + 44
  cell = SHOWN + _CAPTION + _GAP
  height = below_plots + sum(34 + 16 + row * cell for row in rows) + 12
  page = Image.new('RGB', (_WIDTH, height), 'white')
  draw = ImageDraw.Draw(page)
  draw.text((_MARGIN, _MARGIN - 8), dataset, _INK, _font(24))
  note = 'below each sample: its video; yaw, pitch, roll'
  right = (_WIDTH - _MARGIN, _MARGIN)
  draw.text(right, note, _GREY, _font(13), anchor='ra')
  width = (_WIDTH - 2 * _MARGIN - 4 * 2 * _GAP) / len(MEASURES)
  for number, name in enumerate(MEASURES):
    corner = (_MARGIN + number * (width + 2 * _GAP), _MARGIN + 44)
    values = [split.values[name] for split in splits]
    _plot(draw, corner, width, name, values)
  y = below_plots
  for number, (split, count) in enumerate(zip(splits, rows, strict=True)):
    draw.line((_MARGIN, y, _WIDTH - _MARGIN, y), _PALE, 1)
    _heading(draw, y + 12, split, _COLOURS[number % len(_COLOURS)])
    y += 50
    for place, sample in enumerate(split.samples):
      row, column = divmod(place, COLUMNS)
      corner = (_MARGIN + column * (SHOWN + _GAP), y + row * cell)
      _sample(page, draw, corner, sample)
    y += count * cell
  return np.asarray(page)


def check_output(output: str, sources) -> Path:
  """Where the page goes.

  Args:
    output: a PNG file; empty: inspection.png beside the records.
    sources: the splits of one data set.

  Raises:
    UserError: not the name of a PNG file in a folder that is there.
  """
  path = Path(output or f'{sources[0].folder}/inspection.png').expanduser()
  if path.suffix.lower() != '.png':
    raise UserError(f'--output={output}: the page is a PNG; name it so')
  if not path.parent.is_dir():
    raise UserError(f'--output={output}: its folder does not exist; make it')
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
      num_samples=COLUMNS * (_ROWS if number == 0 else 1),
      shown=SHOWN,
      on_video=on_video,
    )
    for number, source in enumerate(sources)
  ]
  facts = inspection.summary(dataset, splits)
  page = make_page(dataset, splits)
  with atomic_paths(output, f'{output}.report.json') as (picture, report):
    write_png(picture, page)
    report.write_text(json.dumps(facts, indent=2) + '\n')
  return facts
