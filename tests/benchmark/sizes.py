"""How large the measured experiment is, for each kind of machine."""

import dataclasses

from flaxheads import config as configs
from flaxheads.config import Config


@dataclasses.dataclass(frozen=True)
class Size:
  """What is measured.

  Attributes:
    name: 'tiny', 'cpu' or 'gpu'.
    experiment: sizes, K, batch and rates of meta-training.
    shots: T of fine-tuning.
    drawn_at_once: frames of a batch of animation.
    repeats: turns of the clock.
    matrix_side: of the ceiling's matrices.
    lengths: frames of whole animations.
    alone: whether programs of fine-tuning are too large to be in memory
      beside each other.
  """

  name: str
  experiment: Config
  shots: int
  drawn_at_once: int
  repeats: int
  matrix_side: int
  lengths: tuple[int, ...] = (100, 400, 1600)
  alone: bool = False


def _full(dtype: str, batch_size: int) -> Config:
  """The paper's networks at 256², K = 8."""
  config = Config(model=configs.ModelConfig(dtype=dtype))
  config.training.batch_size = batch_size
  return config


def _tiny() -> Config:
  config = Config(
    model=configs.ModelConfig(
      image_size=64,
      base_channels=8,
      max_channels=16,
      embedding_size=16,
      num_residual_blocks=1,
      bottleneck_size=16,
      dtype='float32',
    )
  )
  config.training.batch_size = 1
  config.data.num_support = 1
  return config


SIZES = ('cpu', 'gpu', 'tiny')


def find(name: str, repeats: int | None = None) -> Size:
  """A size.

  Args:
    name: one of SIZES.
    repeats: turns of the clock; None for the size's own.
  """
  if name == 'cpu':
    size = Size(name, _full('float32', 1), 8, 4, 7, 4096, alone=True)
  elif name == 'gpu':
    size = Size(name, _full('bfloat16', 24), 8, 16, 30, 8192)
  else:
    size = Size(name, _tiny(), 2, 2, 2, 256, (4, 8))
  return dataclasses.replace(size, repeats=repeats or size.repeats)
