"""The suites: what each measures, as rows of figures."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from tests.benchmark import (
  animate,
  clock,
  convolutions,
  finetune,
  first_picture,
  identity_table,
  meta_train,
  pipeline,
  remote,
  stream,
)
from tests.benchmark.sizes import Size

_TRIES = 2  # runs of each of the reference's ways, before the best is timed


class Row(NamedTuple):
  """One line of the table.

  Attributes:
    case: what was measured.
    program: whose it is.
    timing: clock.Timing.
    cost: clock.Cost, or None.
    samples: that one run makes.
    ratio: the time of this over that of flaxheads' in the same case; of the
      size before it in a suite of growth.
    exponent: in a suite of growth, of the size in the time: 1 is linear.
    peak_bytes: of a process of its own; None: see `cost`.
  """

  case: str
  program: str
  timing: clock.Timing
  cost: clock.Cost | None
  samples: int
  ratio: float
  exponent: float | None = None
  peak_bytes: int | None = None


def _best(programs, progress):
  """The quickest of the reference's ways, and how long each took.

  Of ways that are made as they are asked for, no more than two are kept.
  """
  best, seconds = [], {}
  for program in programs:
    (tried,) = clock.interleave([program], _TRIES, progress)
    seconds[program.name] = tried.median
    if not best or tried.median < seconds[best[0].name]:
      best = [program]
    del program  # before the next one is made
  return best, seconds


def _side_by_side(case, ours, references, samples, size, progress, others=()):
  best, tried = _best(references, progress)
  programs = [ours, *others, *best]
  timings = clock.interleave(programs, size.repeats, progress)
  rows = [
    Row(case, p.name, t, p.cost, samples, t.median / timings[0].median)
    for p, t in zip(programs, timings, strict=True)
  ]
  return rows, {case: tried} if tried else {}


def _compile_ahead(build, size: Size, *arguments):
  """See `remote.compile_ahead`; figures without meaning need none of it."""
  if size.name != 'tiny':
    remote.compile_ahead(build, size, *arguments)


def _meta_train(size: Size, options, progress):
  config = size.experiment
  case = (
    f'step, {config.model.image_size}², K = {config.data.num_support}, batch '
    f'{config.training.batch_size}, {config.model.dtype}'
  )
  _compile_ahead(meta_train.ours, size)
  return _side_by_side(
    case,
    meta_train.ours(size),
    meta_train.references(size, options) if options else [],
    config.training.batch_size,
    size,
    progress,
  )


def _finetune(size: Size, options, progress):
  case = f'step, {size.experiment.model.image_size}², T = {size.shots}'
  return _side_by_side(
    case,
    finetune.ours(size),
    finetune.references(size, options) if options else [],
    size.shots,
    size,
    progress,
  )


def _join(parts):
  """Rows, and what was tried, of several calls of `_side_by_side`."""
  rows, tried = [], {}
  for more_rows, more_tried in parts:
    rows += more_rows
    tried |= more_tried
  return rows, tried


def _animate(size: Size, options, progress):
  _compile_ahead(animate.ours, size, 1)
  _compile_ahead(animate.ours, size, size.drawn_at_once)
  return _join(
    _side_by_side(
      f'{size.experiment.model.image_size}², frames: {count}',
      animate.ours(size, count),
      animate.references(size, options, count) if options else [],
      count,
      size,
      progress,
    )
    for count in (1, size.drawn_at_once)
  )


def _pipeline(size: Size, options, progress):
  side = size.experiment.model.image_size
  count = pipeline.NUM_BATCHES * pipeline.BATCH
  with contextlib.closing(pipeline.Folder(side)) as folder:
    return _side_by_side(
      f'{count} samples, {side}², K = {size.experiment.data.num_support}',
      pipeline.ours(size, folder),
      pipeline.references(size, folder) if options else [],
      count,
      size,
      progress,
    )


def _convolutions(size: Size, options, progress):
  return _join(
    _side_by_side(
      f'{shape}, {part}',
      convolutions.ours(shape, part),
      convolutions.references(shape, part) if options else [],
      shape.pictures,
      size,
      progress,
      [convolutions.ours(shape, part, used=False)],
    )
    for shape in convolutions.shapes(size)
    for part in convolutions.PARTS
  )


def _growing(cases, size, progress) -> list[Row]:
  """Rows of programs of growing size, each beside the one before it.

  Args:
    cases: (size, name of the case, program, samples) each.
    size: for its number of turns.
    progress: see clock.interleave.
  """
  sizes, names, programs, samples = zip(*cases, strict=True)
  timings = clock.interleave(programs, size.repeats, progress)
  medians = [timing.median for timing in timings]
  ratios = np.divide(medians[1:], medians[:-1])
  exponents = np.log(ratios) / np.log(np.divide(sizes[1:], sizes[:-1]))
  return [
    Row(name, 'flaxheads', timing, program.cost, count, ratio, exponent)
    for name, program, count, timing, ratio, exponent in zip(
      names,
      programs,
      samples,
      timings,
      [1.0, *ratios.tolist()],
      [None, *exponents.tolist()],
      strict=True,
    )
  ]


def _identity_table(size: Size, options, progress):
  del options  # nothing to compare with: the reference has no sharded table
  cases = [
    (
      count,
      f'update of W, {count:,} videos',
      identity_table.ours(size, count),
      1,
    )
    for count in identity_table.NUM_VIDEOS
  ]
  return _growing(cases, size, progress), {}


def _changed(size: Size, part: str, **fields) -> Size:
  experiment = size.experiment
  part_of = dataclasses.replace(getattr(experiment, part), **fields)
  experiment = dataclasses.replace(experiment, **{part: part_of})
  return dataclasses.replace(size, experiment=experiment)


def _growth(size: Size, options, progress):
  """The step of a small model against batch, K, pixels and videos."""
  del options
  small = dataclasses.replace(
    size.experiment,
    model=dataclasses.replace(
      size.experiment.model,
      image_size=64,
      base_channels=16,
      max_channels=64,
      embedding_size=64,
      num_residual_blocks=1,
    ),
    data=dataclasses.replace(size.experiment.data, num_support=1),
    training=dataclasses.replace(size.experiment.training, batch_size=1),
  )
  base = dataclasses.replace(size, experiment=small)
  rows = []
  for what, part, field, values in (
    ('batch', 'training', 'batch_size', (1, 2, 4)),
    ('K', 'data', 'num_support', (2, 4, 8)),
    ('side', 'model', 'image_size', (64, 128)),
  ):
    sizes = [_changed(base, part, **{field: value}) for value in values]
    power = 2 if what == 'side' else 1  # linear in pixels
    cases = [
      (value**power, f'step, {what} {value}', meta_train.ours(s), 1)
      for value, s in zip(values, sizes, strict=True)
    ]
    rows += _growing(cases, size, progress)
  cases = [
    (videos, f'step, {videos:,} videos', meta_train.ours(base, videos), 1)
    for videos in (1_000, 1_000_000)
  ]
  rows += _growing(cases, size, progress)
  return rows, {}


def _stream(size: Size, options, progress):
  """Whole animations against their length, and the first frame."""
  del options  # the reference has no such command
  size = dataclasses.replace(size, repeats=min(size.repeats, 3))
  lengths = size.lengths
  with contextlib.closing(stream.Stage((1, *lengths))) as stage:
    cases = [
      (length, name, stage.program(name, length), length)
      for length in lengths
      for name in [f'animate, {stream.SIDE}², {length:,} frames']
    ]
    rows = _growing(cases, size, progress)
    first = [
      stage.program('first frame, nothing compiled yet', 1, kept=False),
      stage.program('first frame, compiled before', 1),
    ]
    timings = clock.interleave(first, size.repeats, progress)
    rows += [
      Row(p.name, 'flaxheads', t, None, 1, t.median / timings[0].median)
      for p, t in zip(first, timings, strict=True)
    ]
    rows = [row._replace(peak_bytes=stage.peaks[row.case]) for row in rows]
  return rows, {}


def _first_picture(size: Size, options, progress):
  """CPU-seconds, and of these compiling; the ratio is to the cold run."""
  del options
  steps = 2 if size.name == 'tiny' else None
  rows, programs, cold = [], {}, {}
  with contextlib.closing(first_picture.Stage(steps)) as stage:
    for case, state, result in first_picture.measure(stage, progress):
      programs[f'{case}, {state}'] = result.programs
      for part in result.parts:
        figures = {part.name: part.seconds}
        if part.compiling is not None:
          figures[f'{part.name}, compiling'] = part.compiling
        for name, seconds in figures.items():
          name = f'{case}: {name}'
          ratio = seconds / cold.setdefault(name, seconds or 1.0)
          timing = clock.summarise([seconds])
          rows.append(Row(name, state, timing, None, 1, ratio))
  return rows, programs


SUITES: dict[str, Callable[[Size, dict, Callable[[Iterable], Iterable]], tuple]]
SUITES = {
  'meta_train': _meta_train,
  'finetune': _finetune,
  'animate': _animate,
  'pipeline': _pipeline,
  'convolutions': _convolutions,
  'identity_table': _identity_table,
  'growth': _growth,
  'stream': _stream,
  'first_picture': _first_picture,
}
