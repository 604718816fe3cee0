"""Experiments of the comparators, as typed dataclasses like `config`.

What the published code or papers say is the default; what is ours says so.
X2Face: Wiles, Koepke and Zisserman, ECCV 2018, and oawiles/X2Face. Pix2pixHD:
Wang et al., CVPR 2018, and NVIDIA/pix2pixHD.
"""

import dataclasses

from flaxheads.config import (
  DTYPES,
  AugmentConfig,
  Checked,
  Config,
  DataConfig,
  OptimizerConfig,
  RhythmConfig,
  ScheduleConfig,
  default,
)
from flaxheads.errors import check_choice, check_range

SIZES = (64, 128, 256, 512)


@dataclasses.dataclass
class PairDataConfig(DataConfig):
  """Records as for the model; a target and a single other frame of each."""

  num_support: int = 1


@dataclasses.dataclass
class VGGFaceConfig:
  """File of X2Face's identity network; empty: no identity loss."""

  vggface: str = ''


@dataclasses.dataclass
class VGG19Config:
  """File of Pix2pixHD's content network; empty: pyramid loss."""

  vgg19: str = ''


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
    check_range('identity.num_steps', self.num_steps, 0)
    for name in ('same', 'other', 'learning_rate_scale'):
      check_range(f'identity.{name}', getattr(self, name), 0)


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


@dataclasses.dataclass
class Pix2pixHDModelConfig:
  """Sizes of the global generator and of the discriminators."""

  image_size: int = 256
  base_channels: int = 64
  num_downsamplings: int = 4
  num_residual_blocks: int = 9
  discriminator_channels: int = 64
  num_scales: int = 2
  dtype: str = 'bfloat16'  # of activations; parameters are always float32

  def __post_init__(self):
    check_choice('model.image_size', self.image_size, SIZES)
    for name in ('base_channels', 'discriminator_channels'):
      check_range(f'model.{name}', getattr(self, name), 4, 1024)
    check_range('model.num_downsamplings', self.num_downsamplings, 1, 5)
    check_range('model.num_residual_blocks', self.num_residual_blocks, 1, 64)
    check_range('model.num_scales', self.num_scales, 1, 4)
    check_choice('model.dtype', self.dtype, DTYPES)

  @classmethod
  def small(cls, image_size: int = 64) -> 'Pix2pixHDModelConfig':
    """A quarter of the channels in float32, down to 8²: for a CPU (ours).

    At 64² its generator has as many parameters as that of `ModelConfig.small`.
    """
    return cls(
      image_size,
      base_channels=16,
      num_downsamplings=3,
      discriminator_channels=16,
      dtype='float32',
    )


@dataclasses.dataclass
class Pix2pixHDLossConfig:
  """Weights of the terms beside the adversarial one, which counts once.

  The pyramid is ours, and stands in where no VGG19 weights are given.
  """

  feature_matching: float = 10.0
  vgg19: float = 10.0
  pyramid: float = 20.0

  def __post_init__(self):
    for field in dataclasses.fields(self):
      check_range(f'loss.{field.name}', getattr(self, field.name), 0)


@dataclasses.dataclass
class Pix2pixHDOptimizerConfig(OptimizerConfig):
  """Adam as published: half of the run at this rate, half falling to zero."""

  generator_learning_rate: float = 2e-4
  b1: float = 0.5
  epsilon: float = 1e-8


@dataclasses.dataclass
class FewShotConfig:
  """Fine-tuning on T frames, at the rates of training.

  Zakharov et al. 2019 fine-tune Pix2pixHD for as many epochs as their own
  model: 40 (recalled). The other numbers are those of `FinetuneConfig`, so
  that both take the same steps.
  """

  num_epochs: int = 40
  batch_size: int = 8
  min_steps: int = 160
  max_steps: int = 400

  def __post_init__(self):
    for field in dataclasses.fields(self):
      check_range(f'finetune.{field.name}', getattr(self, field.name), 1)


@dataclasses.dataclass
class Pix2pixHDConfig(Checked):
  """One experiment with Pix2pixHD."""

  kind: str = 'pix2pixhd'
  seed: int = 0
  model: Pix2pixHDModelConfig = default(Pix2pixHDModelConfig)
  loss: Pix2pixHDLossConfig = default(Pix2pixHDLossConfig)
  perceptual: VGG19Config = default(VGG19Config)
  data: DataConfig = default(PairDataConfig)
  augment: AugmentConfig = default(AugmentConfig)
  optimizer: OptimizerConfig = default(Pix2pixHDOptimizerConfig)
  training: RhythmConfig = default(RhythmConfig)
  finetune: FewShotConfig = default(FewShotConfig)

  def __post_init__(self):
    check_choice('kind', self.kind, ('pix2pixhd',))


def like_data(config: Config) -> PairDataConfig:
  """The records of the model's config, for a comparator beside it."""
  data = dataclasses.asdict(config.data)
  return PairDataConfig(**{**data, 'num_support': 1})


def like_rhythm(config: Config) -> RhythmConfig:
  """As many steps of as many samples as the model's config."""
  names = [field.name for field in dataclasses.fields(RhythmConfig)]
  return RhythmConfig(**{n: getattr(config.training, n) for n in names})
