"""What a run shows: scalars, preview images, warnings, a profile."""

import time
from typing import NamedTuple

import jax
import numpy as np
from absl import logging
from etils import epath
from tensorboardX import SummaryWriter

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


def _lose_curves_before_the_run(writer: SummaryWriter) -> None:
  """On a full disk tensorboardX's thread would end, and the run wait for it."""
  events, told = writer.file_writer.event_writer._ev_writer, False

  def or_warn(write):
    def guarded(*args):
      nonlocal told
      try:
        return write(*args)
      except OSError as error:
        if not told:
          logging.warning('TensorBoard: curves are lost (%s)', error.strerror)
        told = True

    return guarded

  for name in ('write_event', 'flush', 'close'):
    setattr(events, name, or_warn(getattr(events, name)))


class Monitor:
  """Writes TensorBoard events and previews into the folder of a run.

  Of several processes the first one writes; the others only check.

  Args:
    workdir: folder of the run.
    batch_size: samples of a step, over all devices.
    flops: of one step on one device, of the compiled program; None: unknown.
    chip: of the devices; None: not known.
    knows_people: whether different people should look different.
  """

  def __init__(
    self, workdir, batch_size: int, flops=None, chip=None, knows_people=True
  ):
    self._folder = epath.Path(workdir)
    self._batch_size = batch_size
    self._flops, self._chip = flops, chip
    self._failure_signs = FailureSigns(knows_people)
    self._writer = None
    if parallel.is_first_process():
      self._writer = SummaryWriter(str(self._folder / 'tensorboard'))
      _lose_curves_before_the_run(self._writer)
    self._clock, self._step, self._waited = time.perf_counter(), None, 0.0

  def waited(self, seconds: float) -> None:
    """Adds time that the step spent waiting for data."""
    self._waited += seconds

  def _speed(self, step: int) -> dict[str, float]:
    now, speed = time.perf_counter(), {}
    if self._step is not None:
      seconds, steps = now - self._clock, step - self._step
      speed['samples_per_second'] = steps * self._batch_size / seconds
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
    """Keeps a picture of the fixed people and writes its figures."""
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
