"""The experiment of Pix2pixHD, as typed dataclasses like `flaxheads.config`.

The published code is the default (Wang et al., CVPR 2018; NVIDIA/pix2pixHD);
what is ours says so.
"""

import dataclasses

from flaxheads.config import OptimizerConfig
from flaxheads.config_parts import (
  DTYPES,
  SIZES,
  AugmentConfig,
  Checked,
  DataConfig,
  PairDataConfig,
  RhythmConfig,
  default,
)
from flaxheads.errors import check_choice, check_range, check_ranges


@dataclasses.dataclass
class VGG19Config:
  """File of Pix2pixHD's content network; empty: pyramid loss."""

  vgg19: str = ''


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
    channels = 'base_channels', 'discriminator_channels'
    check_ranges('model', self, 4, 1024, channels)
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

  The pyramid is ours; it replaces VGG19 if no weights are given.
  """

  feature_matching: float = 10.0
  vgg19: float = 10.0
  pyramid: float = 20.0

  def __post_init__(self):
    check_ranges('loss', self, 0)


@dataclasses.dataclass
class Pix2pixHDOptimizerConfig(OptimizerConfig):
  """Adam as published: half of the run at this rate, half falling to zero."""

  generator_learning_rate: float = 2e-4
  b1: float = 0.5
  epsilon: float = 1e-8


@dataclasses.dataclass
class FewShotConfig:
  """Fine-tuning on T frames, at the rates of training.

  As many steps as `FinetuneConfig` takes; Zakharov et al. 2019 fine-tune
  Pix2pixHD for as many epochs as their own model (recalled).
  """

  batch_size: int = 8
  min_steps: int = 125
  max_steps: int = 230

  def __post_init__(self):
    check_ranges('finetune', self, 1)


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
