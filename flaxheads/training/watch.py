"""What a person sees of a run: scalars, sample pictures, a progress bar."""

import os
import time

import jax
import numpy as np
from tensorboardX import SummaryWriter

from flaxheads.data.image import write_png
from flaxheads.errors import RunFailedError
from flaxheads.training.step import StepMetrics


class DivergenceError(RunFailedError):
  """A loss is not finite: names the step and the term."""


def to_scalars(metrics: StepMetrics) -> dict[str, float]:
  """Named floats: 'generator/content', 'discriminator/hinge', ..."""
  scalars = {'learning_rate_scale': float(metrics.learning_rate_scale)}
  for player in ('generator', 'discriminator'):
    terms = getattr(metrics, player)
    for name, value in terms._asdict().items():
      scalars[f'{player}/{name}'] = float(value)
  return scalars


def check_finite(step: int, scalars: dict[str, float]) -> None:
  """Raises DivergenceError, naming step and term, unless all are finite."""
  for name, value in scalars.items():
    if not np.isfinite(value):
      raise DivergenceError(
        f'step {step}: {name} is {value}; the last good checkpoint stays'
      )


class Watch:
  """Writes TensorBoard events and pictures into the folder of a run."""

  def __init__(self, workdir: str, batch_size: int):
    self._workdir = workdir
    self._batch_size = batch_size
    self._writer = SummaryWriter(os.path.join(workdir, 'tensorboard'))
    self._clock, self._step, self._waited = time.perf_counter(), None, 0.0

  def waited(self, seconds: float) -> None:
    """Adds time that the step spent waiting for data."""
    self._waited += seconds

  def log(self, step: int, metrics: StepMetrics) -> dict[str, float]:
    """Writes the scalars of `step`.

    Returns:
      The scalars, with throughput and the share of time spent waiting.

    Raises:
      DivergenceError: a term is not finite.
    """
    scalars = to_scalars(jax.device_get(metrics))
    now = time.perf_counter()
    if self._step is not None:
      seconds = now - self._clock
      steps = step - self._step
      scalars['samples_per_second'] = steps * self._batch_size / seconds
      scalars['share_waiting_for_data'] = self._waited / seconds
    self._clock, self._step, self._waited = now, step, 0.0
    check_finite(step, scalars)
    for name, value in scalars.items():
      self._writer.add_scalar(name, value, step)
    return scalars

  def picture(self, step: int, picture: np.ndarray) -> None:
    """Keeps a sample picture, uint8 [H, W, 3], as PNG and in TensorBoard."""
    folder = os.path.join(self._workdir, 'samples')
    os.makedirs(folder, exist_ok=True)
    write_png(os.path.join(folder, f'{step:08d}.png'), picture)
    self._writer.add_image('samples', picture, step, dataformats='HWC')

  def close(self) -> None:
    """Writes what is left."""
    self._writer.close()
