"""The whole experiment as typed dataclasses, checked on construction.

A preset in `configs/` returns a `Config`; every field is a flag
(`--config.training.num_steps=10`). Facts of the paper (Zakharov et al. 2019)
are the defaults; what is not from the paper says so.
"""

import dataclasses

from flaxheads.config_parts import (
  DTYPES,
  AdamConfig,
  AugmentConfig,
  Checked,
  DataConfig,
  RhythmConfig,
  default,
)
from flaxheads.errors import UserError, check_choice, check_range, check_ranges


@dataclasses.dataclass
class ModelConfig:
  """Sizes of embedder, generator and discriminator."""

  image_size: int = 256  # a power of two from 32 to 512
  base_channels: int = 64  # channels after the first down block
  max_channels: int = 512
  embedding_size: int = 512  # N
  num_residual_blocks: int = 5
  bottleneck_size: int = 16  # resolution of the generator's residual blocks
  pooling: str = 'sum_relu'  # the paper's order; 'relu_sum': the lab's
  dtype: str = 'bfloat16'  # of activations; parameters are always float32

  def __post_init__(self):
    check_choice('model.image_size', self.image_size, (32, 64, 128, 256, 512))
    check_choice('model.bottleneck_size', self.bottleneck_size, (8, 16, 32))
    check_choice('model.pooling', self.pooling, ('sum_relu', 'relu_sum'))
    check_choice('model.dtype', self.dtype, DTYPES)
    check_range('model.base_channels', self.base_channels, 8, 1024)
    check_range(
      'model.max_channels', self.max_channels, self.base_channels, 4096
    )
    check_range('model.embedding_size', self.embedding_size, 8, 4096)
    check_range('model.num_residual_blocks', self.num_residual_blocks, 1, 64)

  @classmethod
  def small(cls, image_size: int = 64) -> 'ModelConfig':
    """Half the paper's channels in float32: trains and runs on a CPU (ours)."""
    return cls(
      image_size=image_size,
      base_channels=32,
      max_channels=256,
      embedding_size=256,
      bottleneck_size=8,
      dtype='float32',
    )


@dataclasses.dataclass
class LossConfig:
  """Weights of the loss terms; `v1()` and `v2()` are the paper's two sets.

  The sets are inferred from the dates of reimplementations. The pyramid term
  is ours: it replaces the perceptual terms if no VGG weights are given, and
  counts nothing otherwise.
  """

  vgg19: float = 1.5e-1
  vggface: float = 2.5e-2
  vgg16: float = 8.5  # ours: vgg19's times 57, the ratio of the input scales
  identity: float = 0.0  # 1 - cosine of dlib's embeddings (ours)
  pyramid: float = 20.0
  adversarial: float = 1.0
  # Of the sum over D's layers; the authors' repositories take their mean.
  feature_matching: float = 10.0
  match: float = 10.0  # L_MCH; 0 trains the feed-forward model
  # Of a hinge in L_DSC on real frames scored as other people (ours).
  mismatch: float = 0.0

  def __post_init__(self):
    check_ranges('loss', self, 0)

  @classmethod
  def v1(cls):
    return cls(vgg19=1e-2, vggface=2e-3, match=80.0)

  @classmethod
  def v2(cls):
    return cls()


@dataclasses.dataclass
class PerceptualConfig:
  """Files of the networks in the loss (safetensors), and what these see.

  Without vgg19, vggface and vgg16 the content loss is the pyramid's. vgg16 and
  dlib_resnet are ours: networks with freely available weights.
  """

  vgg19: str = ''
  vggface: str = ''
  vgg16: str = ''
  dlib_resnet: str = ''  # counts at loss.identity
  pooling: str = 'max'  # as the VGGs were trained; 'average': the lab's
  face_crop: bool = True  # vggface sees the face enlarged, as in the lab

  def __post_init__(self):
    check_choice('perceptual.pooling', self.pooling, ('max', 'average'))


@dataclasses.dataclass
class OptimizerConfig(AdamConfig):
  """Adam for E and G and for D; rates of the paper and of the lab code."""

  generator_learning_rate: float = 5e-5
  discriminator_learning_rate: float = 2e-4

  def __post_init__(self):
    super().__post_init__()
    rates = 'generator_learning_rate', 'discriminator_learning_rate'
    check_ranges('optimizer', self, 0, fields=rates)


@dataclasses.dataclass
class IdentityTableConfig:
  """W; its Adam has beta1 = 0, and b2 and epsilon of `optimizer`.

  The paper says neither how W starts nor how it learns. In the authors' lab
  code it learns from the real score, and its rows start in ±0.1.
  """

  # Rows start uniform in [0, this]; 0: at the ê of their first visit (ours).
  initial_size: float = 0.0
  learning_rate: float = 2e-4
  real_score_only: bool = True  # no gradient from D(x̂, y, i) into W_i

  def __post_init__(self):
    check_range('identity_table.initial_size', self.initial_size, 0, 10)
    check_range('identity_table.learning_rate', self.learning_rate, 0)


@dataclasses.dataclass
class TrainingConfig(RhythmConfig):
  """Meta-training."""

  accumulation_steps: int = 1  # parts of a device's batch, one after the other
  remat: bool = False  # recompute blocks in the backward pass: less memory
  discriminator_updates: int = 2  # for one of E and G; recalled
  ema_decay: float = 0.999

  def __post_init__(self):
    super().__post_init__()
    counts = 'accumulation_steps', 'discriminator_updates'
    check_ranges('training', self, 1, fields=counts)
    check_range('training.ema_decay', self.ema_decay, 0, 0.999999)


@dataclasses.dataclass
class FinetuneConfig:
  """Few-shot fine-tuning.

  Lengths, rates and the average's decay are those that the authors' lab uses
  for fine-tuning at 256²; the paper says 40 epochs (recalled).
  """

  batch_size: int = 8
  min_steps: int = 125  # at T = 1
  max_steps: int = 230  # from T = 32 on; even in log T between
  generator_learning_rate: float = 5e-4
  discriminator_learning_rate: float = 8e-4
  face_weight: float = 0.0  # of the content loss once more, in the face (ours)
  ema_decay: float = 0.972  # of G's parameters that the person gets
  blend: float = 1.0  # share of these in the person; the rest: before (ours)
  move_share: float = 0.0  # of the steps, on images moved a little (ours)
  holdout_fraction: float = 0.125  # for validation, from T = 6 on (ours)
  # Weights of further terms of the validation loss (ours).
  landmark_weight: float = 1.0
  identity_weight: float = 1.0
  check_every: int = 10  # steps between validations
  patience: int = 12  # validations without improvement before early stopping

  def __post_init__(self):
    steps = 'min_steps', 'max_steps', 'check_every', 'patience'
    check_ranges('finetune', self, 1, fields=('batch_size', *steps))
    check_range('finetune.face_weight', self.face_weight, 0, 1000)
    check_range('finetune.ema_decay', self.ema_decay, 0, 0.999999)
    check_ranges('finetune', self, 0, 1, ('blend', 'move_share'))
    check_range('finetune.holdout_fraction', self.holdout_fraction, 0, 0.5)
    weights = 'landmark_weight', 'identity_weight'
    check_ranges('finetune', self, 0, 100, weights)


@dataclasses.dataclass
class Config(Checked):
  """One experiment."""

  seed: int = 0
  model: ModelConfig = default(ModelConfig)
  loss: LossConfig = default(LossConfig)
  perceptual: PerceptualConfig = default(PerceptualConfig)
  data: DataConfig = default(DataConfig)
  augment: AugmentConfig = default(AugmentConfig)
  optimizer: OptimizerConfig = default(OptimizerConfig)
  identity_table: IdentityTableConfig = default(IdentityTableConfig)
  training: TrainingConfig = default(TrainingConfig)
  finetune: FinetuneConfig = default(FinetuneConfig)


def from_dict(values: dict, cls=Config):
  """A config from nested dicts, such as `dataclasses.asdict` makes.

  Raises:
    UserError: a field that does not exist, or a value that is not allowed.
  """
  fields = {field.name: field for field in dataclasses.fields(cls)}
  given = {}
  for name, value in values.items():
    if name not in fields:
      raise UserError(f'{cls.__name__}.{name}: no such field')
    factory = fields[name].default_factory
    if dataclasses.is_dataclass(factory):
      if not isinstance(value, dict):
        raise UserError(f'{cls.__name__}.{name}: {value!r} is not an object')
      value = from_dict(value, factory)
    elif isinstance(fields[name].default, float) and type(value) is int:
      value = float(value)
    elif type(value) is not type(fields[name].default):
      wanted = type(fields[name].default).__name__
      raise UserError(f'{cls.__name__}.{name}: {value!r} is not {wanted}')
    given[name] = value
  return cls(**given)
