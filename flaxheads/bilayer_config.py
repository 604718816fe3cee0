"""The experiment of the bi-layer generator, as typed dataclasses like `config`.

The sizes and the weights of the losses are ours, found on rendered heads.
"""

import dataclasses
import math

from flaxheads.config import DTYPES, IdentityTableConfig, OptimizerConfig
from flaxheads.config_parts import (
  AugmentConfig,
  Checked,
  DataConfig,
  RhythmConfig,
  default,
)
from flaxheads.errors import UserError, check_choice, check_range, check_ranges


@dataclasses.dataclass
class BilayerModelConfig:
  """Sizes of the frames, the window about the face, and the networks."""

  image_size: int = 128  # of the frames that the warp is computed at
  window_size: int = 80  # of the part that the generator sees, pixels
  embedder_size: int = 64  # E sees whole frames at this size
  base_channels: int = 24
  max_channels: int = 128
  embedding_size: int = 128  # N
  num_residual_blocks: int = 3
  bottleneck_size: int = 10  # resolution of the generator's residual blocks
  max_flow: float = 0.08  # of the window: how far a pixel's source may move
  dtype: str = 'float32'  # of activations; parameters are always float32

  def __post_init__(self):
    check_choice('model.image_size', self.image_size, (64, 128, 256, 512))
    check_choice('model.embedder_size', self.embedder_size, (64, 128, 256))
    check_choice('model.dtype', self.dtype, DTYPES)
    check_range('model.bottleneck_size', self.bottleneck_size, 4, 64)
    check_range('model.base_channels', self.base_channels, 8, 1024)
    check_range(
      'model.max_channels', self.max_channels, self.base_channels, 4096
    )
    check_range('model.embedding_size', self.embedding_size, 8, 4096)
    check_range('model.num_residual_blocks', self.num_residual_blocks, 1, 64)
    check_range('model.max_flow', self.max_flow, 0, 0.5)
    check_range('model.window_size', self.window_size, 32, self.image_size)
    doublings = math.log2(self.window_size / self.bottleneck_size)
    if doublings < 1 or doublings % 1:
      raise UserError(
        f'model.window_size: {self.window_size} is not model.bottleneck_size '
        f'({self.bottleneck_size}) times a power of two'
      )

  @property
  def discriminator_size(self) -> int:
    """D sees the window at the power of two below its size, 64 at least."""
    return max(64, 2 ** int(math.log2(self.window_size)))


@dataclasses.dataclass
class BilayerLossConfig:
  """Weights of the loss terms; one that is 0 costs nothing.

  L1 terms are means over the part that they name, so that mouth and eyes
  weigh the same whatever their size.
  """

  pyramid: float = 10.0
  lpips: float = 6.0  # where the config names a file of it
  identity: float = 0.0  # 1 - cosine of dlib's embeddings; needs its file
  head: float = 3.0
  mouth: float = 4.0
  eyes: float = 3.0
  rgb: float = 2.0  # of the new colours themselves; in mouth and eyes again
  flow_variation: float = 30.0  # total variation, in windows
  flow: float = 1.0
  mask_variation: float = 0.2
  keep: float = 0.15  # the photograph is kept outside of mouth and eyes
  # The discriminator's, Zakharov et al. 2019.
  adversarial: float = 0.0
  feature_matching: float = 0.0
  match: float = 0.0  # L_MCH

  def __post_init__(self):
    check_ranges('loss', self, 0)
    needs_score = self.feature_matching or self.match
    if needs_score and not self.adversarial:
      raise UserError(
        'loss.adversarial: is 0, but loss.feature_matching and loss.match need '
        'a discriminator that learns'
      )


@dataclasses.dataclass
class BilayerPerceptualConfig:
  """Files (safetensors) of LPIPS with either backbone and of dlib's network.

  Empty: no such term.
  """

  lpips_alex: str = ''
  lpips_vgg: str = ''
  dlib_resnet: str = ''  # counts at loss.identity

  def __post_init__(self):
    if self.lpips_alex and self.lpips_vgg:
      raise UserError('perceptual: name one of lpips_alex and lpips_vgg')


@dataclasses.dataclass
class BilayerDataConfig(DataConfig):
  """Frames of a record as a photograph, further support and a target.

  The first support frame is the photograph that is warped.
  """

  num_support: int = 1
  # Of the samples: target and photograph the same or neighbours in the record.
  # There the generator learns to change nothing.
  still_share: float = 0.3
  max_turn: float = 25.0  # degrees of yaw between the two, most of the time

  def __post_init__(self):
    super().__post_init__()
    check_range('data.still_share', self.still_share, 0, 1)
    check_range('data.max_turn', self.max_turn, 0, 180)


@dataclasses.dataclass
class BilayerAugmentConfig(AugmentConfig):
  """As for the paper's generator, and a landmark detector's errors."""

  scale: float = 0.1
  rotation: float = 8.0
  colour: float = 0.25
  landmark_noise: float = 0.004  # of the image size

  def __post_init__(self):
    super().__post_init__()
    check_range('augment.landmark_noise', self.landmark_noise, 0, 0.1)


@dataclasses.dataclass
class BilayerOptimizerConfig(OptimizerConfig):
  """Adam; gradients of E and G are clipped by their global norm."""

  generator_learning_rate: float = 8e-4
  discriminator_learning_rate: float = 4e-4
  b1: float = 0.9
  b2: float = 0.99
  epsilon: float = 1e-8
  warmup_steps: int = 100
  clip_norm: float = 5.0

  def __post_init__(self):
    super().__post_init__()
    check_range('optimizer.clip_norm', self.clip_norm, 1e-6, 1e6)


@dataclasses.dataclass
class BilayerTrainingConfig(RhythmConfig):
  """Length and rhythm."""

  num_steps: int = 20_000
  batch_size: int = 8
  ema_decay: float = 0.998

  def __post_init__(self):
    super().__post_init__()
    check_range('training.ema_decay', self.ema_decay, 0, 0.999999)


@dataclasses.dataclass
class BilayerConfig(Checked):
  """One experiment with the bi-layer generator."""

  kind: str = 'bilayer'
  seed: int = 0
  model: BilayerModelConfig = default(BilayerModelConfig)
  loss: BilayerLossConfig = default(BilayerLossConfig)
  perceptual: BilayerPerceptualConfig = default(BilayerPerceptualConfig)
  data: BilayerDataConfig = default(BilayerDataConfig)
  augment: BilayerAugmentConfig = default(BilayerAugmentConfig)
  optimizer: BilayerOptimizerConfig = default(BilayerOptimizerConfig)
  identity_table: IdentityTableConfig = default(IdentityTableConfig)
  training: BilayerTrainingConfig = default(BilayerTrainingConfig)

  def __post_init__(self):
    check_choice('kind', self.kind, ('bilayer',))
    if self.loss.adversarial and not self.identity_table.initial_size:
      raise UserError(
        'identity_table.initial_size: 0, rows that begin as ê, is for the '
        "paper's generator; with loss.adversarial take 0.4 here"
      )
