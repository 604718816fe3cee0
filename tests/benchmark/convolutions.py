"""Convolutions as the networks have them: forward, and both gradients.

Beside the form that is used on a CPU stands the one that XLA has for it, or
that is used on accelerators.
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np

from flaxheads.models import convolution, resampling
from tests.benchmark import clock
from tests.benchmark.sizes import Size

PARTS = ('forward', 'gradient of x', 'gradient of the kernel')


class Shape(NamedTuple):
  """A convolution that keeps the size of its pictures, and its resampling."""

  pictures: int
  side: int
  before: int  # channels
  after: int
  size: int = 3  # of the kernel
  resample: str | None = None  # 'down' after it, or 'up' before it

  def __str__(self):
    then = {None: '', 'down': ', then pooled', 'up': ', upsampled before'}
    return (
      f'{self.size}x{self.size}, {self.before} to {self.after}, '
      f'{self.pictures} of {self.side}²{then[self.resample]}'
    )

  @property
  def padding(self):
    """Zeros on each side."""
    return self.size // 2

  def tensors(self):
    """x, kernel and cotangent of noise, NHWC and HWIO, float32."""
    rng = np.random.default_rng(0)
    side = int(self.side * {None: 1, 'down': 0.5, 'up': 2}[self.resample])
    return [
      rng.normal(size=shape).astype(np.float32)
      for shape in (
        (self.pictures, self.side, self.side, self.before),
        (self.size, self.size, self.before, self.after),
        (self.pictures, side, side, self.after),
      )
    ]


SHAPES = (
  Shape(1, 256, 6, 64),
  Shape(1, 256, 64, 64),
  Shape(8, 128, 64, 128),
  Shape(1, 64, 128, 256),
  Shape(8, 32, 256, 256),
  Shape(1, 16, 512, 512),
  Shape(4, 64, 128, 256, 1),
  Shape(8, 256, 64, 64, resample='down'),
  Shape(8, 64, 256, 256, resample='down'),
  Shape(1, 32, 512, 512, resample='down'),
  Shape(1, 16, 512, 256, resample='up'),
  Shape(1, 128, 64, 64, resample='up'),
)


def shapes(size: Size) -> tuple[Shape, ...]:
  """Those that are timed."""
  if size.name != 'tiny':
    return SHAPES
  return tuple(Shape(1, 8, 4, 4, resample=how) for how in (None, 'down', 'up'))


# By how they resample: the form that is used on a CPU, and the other.
_FORMS = {
  None: (convolution.convolve, convolution.plain),
  'down': (resampling.conv3x3_then_pool, resampling.pooled_by_stride),
  'up': (resampling.upsample_then_conv3x3, resampling.upsampled_by_dilation),
}


def ours(shape: Shape, part: str, used: bool = True):
  """Our program of one of PARTS.

  Args:
    shape: of the convolution.
    part: of PARTS.
    used: False for the form that is not used on a CPU.
  """
  form = _FORMS[shape.resample][0 if used else 1]
  if not shape.resample:
    form = functools.partial(form, padding=shape.padding)

  def run(x, kernel, cotangent):
    y, pull = jax.vjp(form, x, kernel)
    return (y, *pull(cotangent))[PARTS.index(part)]  # the rest is dropped

  arguments = jax.device_put(shape.tensors())
  compiled, cost = clock.compile_program(jax.jit(run), tuple(arguments))
  name = 'flaxheads' if used else 'as XLA has it'
  return clock.Program(
    name, lambda: jax.block_until_ready(compiled(*arguments)), cost
  )


def references(shape: Shape, part: str) -> Iterator[clock.Program]:
  """PyTorch's in both memory formats."""
  from tests.benchmark.reference import programs  # needs PyTorch

  return (
    programs.convolution(shape, PARTS.index(part), channels_last)
    for channels_last in (False, True)
  )
