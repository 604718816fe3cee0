"""What the configs of all experiments share: data, schedules, checking."""

import dataclasses

from flaxheads.errors import check_range, check_ranges

DTYPES = ('float32', 'bfloat16')
SIZES = (64, 128, 256, 512)  # of images, of baselines


@dataclasses.dataclass
class DataConfig:
  """Where the records are and what a sample is.

  `dataset` is a name below `data_dir`, or several with their shares of the
  samples: 'voxceleb2:0.8,synthetic_heads:0.2'.
  """

  dataset: str = 'voxceleb2'
  data_dir: str = ''
  split: str = 'train'
  num_support: int = 8  # K
  num_workers: int = 0  # decoding processes; 0: threads of this process

  def __post_init__(self):
    check_range('data.num_support', self.num_support, 1, 63)
    check_range('data.num_workers', self.num_workers, 0, 256)


@dataclasses.dataclass
class PairDataConfig(DataConfig):
  """A target and a single other frame of each record."""

  num_support: int = 1


@dataclasses.dataclass
class AugmentConfig:
  """Augmentation on the device, the same for all frames of a sample (ours)."""

  flip: bool = True
  scale: float = 0.05  # zoom by up to this fraction
  shift: float = 0.05  # of the image size
  rotation: float = 5.0  # degrees
  colour: float = 0.1  # brightness, contrast and saturation

  def __post_init__(self):
    check_ranges('augment', self, 0, 0.5, ('scale', 'shift'))
    check_range('augment.rotation', self.rotation, 0, 45)
    check_range('augment.colour', self.colour, 0, 0.9)


@dataclasses.dataclass
class ScheduleConfig:
  """A linear rise and fall of the learning rate (ours)."""

  warmup_steps: int = 0
  decay_steps: int = 0  # the last steps of a run fall linearly to zero

  def __post_init__(self):
    check_ranges('optimizer', self, 0, fields=('warmup_steps', 'decay_steps'))


@dataclasses.dataclass
class AdamConfig(ScheduleConfig):
  """Adam without its rate; betas and epsilon of the authors' lab code."""

  b1: float = 0.0
  b2: float = 0.999
  epsilon: float = 1e-5

  def __post_init__(self):
    super().__post_init__()
    check_range('optimizer.epsilon', self.epsilon, 1e-12, 1)
    check_ranges('optimizer', self, 0, 0.999999, ('b1', 'b2'))


@dataclasses.dataclass
class RhythmConfig:
  """Length and rhythm of a training run."""

  num_steps: int = 1_000_000
  batch_size: int = 48  # over all devices (ours)
  log_every: int = 50
  sample_every: int = 1000
  checkpoint_every: int = 1000
  keep_checkpoints: int = 3

  def __post_init__(self):
    for field in dataclasses.fields(RhythmConfig):
      check_range(f'training.{field.name}', getattr(self, field.name), 1)


def default(cls):
  """A field that is a part with all its defaults."""
  return dataclasses.field(default_factory=cls)


class Checked:
  """An experiment, a dataclass of parts that check themselves."""

  def validate(self):
    """Checks every field again, after flags have changed some.

    Returns:
      The config itself.

    Raises:
      UserError: names the field, its value and the choices.
    """
    parts = [getattr(self, field.name) for field in dataclasses.fields(self)]
    for part in (self, *parts):
      if dataclasses.is_dataclass(part) and hasattr(part, '__post_init__'):
        part.__post_init__()
    return self


def like_data(config: Checked) -> PairDataConfig:
  """The records of the model's config, for a baseline."""
  data = dataclasses.asdict(config.data)
  return PairDataConfig(**{**data, 'num_support': 1})


def like_rhythm(config: Checked) -> RhythmConfig:
  """As many steps of as many samples as the model's config."""
  names = [field.name for field in dataclasses.fields(RhythmConfig)]
  return RhythmConfig(**{n: getattr(config.training, n) for n in names})
