"""The experiment of a face identity network, like those of `config`.

It is a proxy for ArcFace if that is not available; everything here is ours.
"""

import dataclasses

from flaxheads.config_parts import (
  SIZES,
  AdamConfig,
  AugmentConfig,
  Checked,
  DataConfig,
  PairDataConfig,
  RhythmConfig,
  default,
)
from flaxheads.errors import check_choice, check_range


@dataclasses.dataclass
class FramesConfig:
  """Frames as the records are read; faces are aligned to 112² from these."""

  image_size: int = 256

  def __post_init__(self):
    check_choice('model.image_size', self.image_size, SIZES)


@dataclasses.dataclass
class ContrastConfig:
  """Two frames of a person among frames of others (Chen et al. 2020)."""

  temperature: float = 0.1
  # Of the five points that align a face, pixels of 112: a detector's error.
  landmark_noise: float = 2.0

  def __post_init__(self):
    check_range('contrast.temperature', self.temperature, 1e-3, 10)
    check_range('contrast.landmark_noise', self.landmark_noise, 0, 20)


@dataclasses.dataclass
class RateConfig(AdamConfig):
  """Adam with its usual betas."""

  learning_rate: float = 1e-3
  b1: float = 0.9
  epsilon: float = 1e-8
  warmup_steps: int = 100

  def __post_init__(self):
    super().__post_init__()
    check_range('optimizer.learning_rate', self.learning_rate, 0)


@dataclasses.dataclass
class FaceIdentityConfig(Checked):
  """A network that tells people apart, where ArcFace cannot be had (ours).

  It is as `models.iresnet.SMALL` says; `model` holds the side of the frames.
  """

  kind: str = 'face_identity'
  seed: int = 0
  model: FramesConfig = default(FramesConfig)
  data: DataConfig = default(PairDataConfig)
  augment: AugmentConfig = default(AugmentConfig)
  contrast: ContrastConfig = default(ContrastConfig)
  optimizer: RateConfig = default(RateConfig)
  training: RhythmConfig = default(RhythmConfig)

  def __post_init__(self):
    check_choice('kind', self.kind, ('face_identity',))
    # A frame and another one of a person, among those of others.
    check_range('data.num_support', self.data.num_support, 1, 1)
    check_range('training.batch_size', self.training.batch_size, 2)
