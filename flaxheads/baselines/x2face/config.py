"""The experiment of X2Face, as typed dataclasses like `flaxheads.config`.

The published code or paper is the default (Wiles, Koepke and Zisserman, ECCV
2018; oawiles/X2Face); what is ours says so.
"""

import dataclasses

from flaxheads.config_parts import (
  DTYPES,
  SIZES,
  AugmentConfig,
  Checked,
  DataConfig,
  PairDataConfig,
  RhythmConfig,
  ScheduleConfig,
  default,
)
from flaxheads.errors import check_choice, check_range, check_ranges


@dataclasses.dataclass
class VGGFaceConfig:
  """File of X2Face's identity network; empty: no identity loss."""

  vggface: str = ''


@dataclasses.dataclass
class X2FaceModelConfig:
  """Sizes of the embedding and the driving network."""

  image_size: int = 256
  base_channels: int = 64  # of the first level; they double up to eight times
  bottleneck_channels: int = 128  # numbers that say what the driver does
  dtype: str = 'bfloat16'  # of activations; parameters are always float32

  def __post_init__(self):
    check_choice('model.image_size', self.image_size, SIZES)
    check_range('model.base_channels', self.base_channels, 4, 1024)
    check_range('model.bottleneck_channels', self.bottleneck_channels, 4, 4096)
    check_choice('model.dtype', self.dtype, DTYPES)

  @classmethod
  def small(cls, image_size: int = 64) -> 'X2FaceModelConfig':
    """Half the channels in float32: trains and runs on a CPU (ours)."""
    return cls(image_size, base_channels=32, dtype='float32')


@dataclasses.dataclass
class MomentumConfig(ScheduleConfig):
  """Stochastic gradient descent; the linear rise and fall are ours.

  The paper divides the rate by ten where the loss stands still (recalled).
  """

  learning_rate: float = 1e-3
  momentum: float = 0.9

  def __post_init__(self):
    super().__post_init__()
    check_range('optimizer.learning_rate', self.learning_rate, 0)
    check_range('optimizer.momentum', self.momentum, 0, 0.999999)


@dataclasses.dataclass
class IdentityConfig:
  """The second stage, with the identity loss; it needs VGGFace's weights.

  Of the paper; the code that was published trains the first stage alone. The
  weights and the rate are recalled, the number of steps is ours.
  """

  num_steps: int = 0  # the last steps of a run
  same: float = 1.0  # over the photometric loss, driven by oneself
  other: float = 0.1  # the same, driven by another one
  learning_rate_scale: float = 0.1

  def __post_init__(self):
    check_ranges('identity', self, 0)


@dataclasses.dataclass
class X2FaceConfig(Checked):
  """One experiment with X2Face."""

  kind: str = 'x2face'
  seed: int = 0
  model: X2FaceModelConfig = default(X2FaceModelConfig)
  perceptual: VGGFaceConfig = default(VGGFaceConfig)
  data: DataConfig = default(PairDataConfig)
  augment: AugmentConfig = default(AugmentConfig)
  optimizer: MomentumConfig = default(MomentumConfig)
  identity: IdentityConfig = default(IdentityConfig)
  training: RhythmConfig = default(RhythmConfig)

  def __post_init__(self):
    check_choice('kind', self.kind, ('x2face',))
