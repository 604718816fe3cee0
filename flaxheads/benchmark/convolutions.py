"""Convolutions as the networks have them: forward, and both gradients.

The gradient of a kernel is written in two ways (models/convolution.py); beside
the one that is used on a CPU stands the other.
"""

from typing import NamedTuple

import jax
import numpy as np

from flaxheads.benchmark import clock
from flaxheads.benchmark.sizes import Size
from flaxheads.models import convolution

PARTS = ('forward', 'gradient of x', 'gradient of the kernel')


class Shape(NamedTuple):
  """A convolution that halves its pictures where the stride is 2."""

  pictures: int
  side: int
  before: int  # channels
  after: int
  size: int = 3  # of the kernel
  stride: int = 1

  def __str__(self):
    name = f'{self.size}x{self.size}, {self.before} to {self.after}'
    name += ', stride 2' if self.stride == 2 else ''
    return f'{name}, {self.pictures} of {self.side}²'

  @property
  def padding(self):
    """Zeros on each side."""
    return (self.size - self.stride + 1) // 2

  def tensors(self):
    """x, kernel and cotangent of noise, NHWC and HWIO, float32."""
    rng, side = np.random.default_rng(0), self.side // self.stride
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
  Shape(8, 128, 128, 128, 4, 2),
  Shape(1, 32, 512, 512, 4, 2),
  Shape(4, 64, 128, 256, 1),
)


def shapes(size: Size) -> tuple[Shape, ...]:
  """Those that are timed."""
  return SHAPES if size.name != 'tiny' else (Shape(1, 16, 4, 4, 4, 2),)


def ours(shape: Shape, part: str, convolve=convolution.convolve):
  """Our program of one of PARTS.

  Args:
    shape: of the convolution.
    part: of PARTS.
    convolve: as `convolution.convolve`.
  """

  def run(x, kernel, cotangent):
    y, pull = jax.vjp(
      lambda *both: convolve(*both, shape.padding, shape.stride), x, kernel
    )
    return (y, *pull(cotangent))[PARTS.index(part)]  # the rest is dropped

  arguments = jax.device_put(shape.tensors())
  compiled, cost = clock.compile_program(jax.jit(run), tuple(arguments))
  name = 'flaxheads' if convolve is convolution.convolve else 'as XLA has it'
  return clock.Program(
    name, lambda: jax.block_until_ready(compiled(*arguments)), cost
  )


def twins(shape: Shape, part: str) -> list[clock.Program]:
  """PyTorch's in both memory formats."""
  from flaxheads.benchmark.twin import programs  # needs PyTorch

  return [
    programs.convolution(shape, PARTS.index(part), channels_last)
    for channels_last in (False, True)
  ]
