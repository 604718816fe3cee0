"""What a run reports: scalars, preview images, warnings, a profile."""

import dataclasses
import json
import sys
import time
from typing import NamedTuple

import jax
import numpy as np
from absl import logging
from etils import epath
from tensorboardX import SummaryWriter

from flaxheads.config import Checked
from flaxheads.data.image import encode_png
from flaxheads.errors import RunFailedError
from flaxheads.training import parallel
from flaxheads.training.failure_signs import FailureSigns
from flaxheads.training.preview import Preview


class DivergenceError(RunFailedError):
  """A loss is not finite: names the step and the term."""


def to_scalars(metrics: NamedTuple) -> dict[str, float]:
  """Named floats: 'generator/content', 'discriminator/hinge', ..."""
  scalars = {}
  for name, value in metrics._asdict().items():
    if hasattr(value, '_asdict'):
      for term, number in value._asdict().items():
        scalars[f'{name}/{term}'] = float(number)
    else:
      scalars[name] = float(value)
  return scalars


def check_finite(step: int, scalars: dict[str, float]) -> None:
  """Raises DivergenceError, naming step and term, unless all are finite."""
  for name, value in scalars.items():
    if not np.isfinite(value):
      raise DivergenceError(
        f'step {step}: {name} is {value}; the last good checkpoint stays'
      )


def _warn_of_write_errors(writer: SummaryWriter) -> None:
  """Makes a failed write of events a warning.

  On a full disk tensorboardX's thread would end, and the run would block on
  its queue.
  """
  events, warned = writer.file_writer.event_writer._ev_writer, False

  def or_warn(write):
    def guarded(*args):
      nonlocal warned
      try:
        return write(*args)
      except OSError as error:
        if not warned:
          logging.warning('TensorBoard: curves are lost (%s)', error.strerror)
        warned = True

    return guarded

  for name in ('write_event', 'flush', 'close'):
    setattr(events, name, or_warn(getattr(events, name)))


def _log_line(step: int, num_steps: int, scalars: dict[str, float]) -> None:
  """Logs the scalars where no progress bar can show them."""
  if not sys.stderr.isatty():
    values = ', '.join(f'{name} {value:.4g}' for name, value in scalars.items())
    logging.info('step %d of %d: %s', step, num_steps, values)


def _step_of(line: str) -> float:
  """The step of a line; infinity if the line was cut off by a crash."""
  try:
    return json.loads(line)['step']
  except (ValueError, KeyError, TypeError):
    return float('inf')


class MetricsFile:
  """Appends scalars to a file, for programs that read no TensorBoard.

  One line of JSON per logged step, `{"step": 100, "generator/content": 1.9}`. A
  resumed run replaces the steps that it repeats.

  Object stores cannot append. There the whole file is written each time, as
  tensorboardX does with its events.

  Args:
    path: the file.
    start: steps already done; later lines are of steps that will be repeated.
  """

  def __init__(self, path, start: int = 0):
    self._path, self._warned = epath.Path(path), False
    self._is_remote = '://' in str(path)
    self._text = ''
    if self._path.exists():
      lines = self._path.read_text().splitlines()
      self._text = ''.join(
        f'{line}\n' for line in lines if _step_of(line) <= start
      )
    self._write(self._text)

  def write(self, step: int, scalars: dict[str, float]) -> None:
    """Adds the scalars of a step; a full disk costs the line, not the run."""
    line = json.dumps({'step': step, **scalars}) + '\n'
    if self._is_remote:
      self._text += line
      self._write(self._text)
    else:
      self._write(line, mode='a')

  def _write(self, text, mode='w'):
    try:
      with self._path.open(mode) as file:
        file.write(text)
    except OSError as error:
      if not self._warned:
        logging.warning('%s: lines are lost (%s)', self._path, error.strerror)
      self._warned = True


class Monitor:
  """Writes the scalars and previews of a run into its folder.

  Scalars go to TensorBoard events and to metrics.jsonl, and to the log where
  stderr is no terminal. Of several processes the first one writes; the others
  only check.

  Args:
    workdir: folder of the run.
    config: the experiment.
    start: steps already done.
    flops: of one step on one device, of the compiled program; None: unknown.
    chip: of the devices; None: not known.
    knows_people: whether different people should look different.
  """

  def __init__(
    self,
    workdir,
    config: Checked,
    start: int = 0,
    flops=None,
    chip=None,
    knows_people=True,
  ):
    self._folder, self._training = epath.Path(workdir), config.training
    self._flops, self._chip = flops, chip
    self._failure_signs = FailureSigns(knows_people)
    self._writer = None
    if parallel.is_first_process():
      self._writer = SummaryWriter(
        str(self._folder / 'tensorboard'), purge_step=start + 1
      )
      _warn_of_write_errors(self._writer)
      text = json.dumps(dataclasses.asdict(config), indent=2)
      self._writer.add_text('config', f'```json\n{text}\n```', start)
      self._metrics = MetricsFile(self._folder / 'metrics.jsonl', start)
    self._clock, self._step, self._waited = time.perf_counter(), None, 0.0

  def waited(self, seconds: float) -> None:
    """Adds time that the step spent waiting for data."""
    self._waited += seconds

  def _speed(self, step: int) -> dict[str, float]:
    now, speed = time.perf_counter(), {}
    if self._step is not None:
      seconds, steps = now - self._clock, step - self._step
      speed['samples_per_second'] = steps * self._training.batch_size / seconds
      speed['share_waiting_for_data'] = self._waited / seconds
      if self._flops and self._chip:
        speed['mfu'] = steps * self._flops / seconds / self._chip.flops
    self._clock, self._step, self._waited = now, step, 0.0
    return speed

  def log(self, step: int, metrics: NamedTuple) -> dict[str, float]:
    """Writes the scalars of `step`.

    Returns:
      The scalars, with throughput, the share of time spent waiting and the
      model FLOPs utilisation where both sides of it are known.

    Raises:
      DivergenceError: a term is not finite.
    """
    losses = to_scalars(jax.device_get(metrics))
    check_finite(step, losses)
    scalars = losses | self._speed(step)
    self._failure_signs.check_losses(step, scalars)
    self._write(step, scalars)
    return scalars

  def write_preview(self, step: int, preview: Preview) -> dict[str, float]:
    """Writes the preview image and its scalars."""
    scalars = {name: float(value) for name, value in preview.scalars.items()}
    self._failure_signs.check_preview(step, scalars)
    self._write(step, scalars)
    if self._writer:
      folder = self._folder / 'samples'
      folder.mkdir(parents=True, exist_ok=True)
      (folder / f'{step:08d}.png').write_bytes(encode_png(preview.sheet))
      self._writer.add_image('people', preview.sheet, step, dataformats='HWC')
    return scalars

  def _write(self, step: int, scalars: dict[str, float]) -> None:
    if self._writer:
      for name, value in scalars.items():
        self._writer.add_scalar(name, value, step)
      self._writer.flush()  # a machine may die at any moment
      self._metrics.write(step, scalars)
      _log_line(step, self._training.num_steps, scalars)

  def close(self) -> None:
    """Writes what is left."""
    if self._writer:
      self._writer.close()


class Profiler:
  """Traces some steps into `workdir/profile`, for TensorBoard or Perfetto.

  Args:
    workdir: folder of the run.
    num_steps: how many to trace; 0: none.
    after: steps to let pass first.
  """

  def __init__(self, workdir, num_steps: int, after: int = 5):
    self._folder = str(epath.Path(workdir) / 'profile')
    self._first, self._last = after, after + num_steps
    self._seen, self._on = 0, False

  def step(self, results) -> None:
    """Called after every step with what it returned."""
    self._seen += 1
    if self._seen == self._first and self._last > self._first:
      jax.block_until_ready(results)
      jax.profiler.start_trace(self._folder)
      self._on = True
    elif self._on and self._seen == self._last:
      jax.block_until_ready(results)
      self.close()

  def close(self) -> None:
    """Ends a trace under way."""
    if self._on:
      jax.profiler.stop_trace()
      self._on = False
