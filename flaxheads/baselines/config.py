"""What the configs of the trained baselines share."""

import dataclasses

from flaxheads.config import Config
from flaxheads.config_parts import DataConfig, RhythmConfig

SIZES = (64, 128, 256, 512)


@dataclasses.dataclass
class PairDataConfig(DataConfig):
  """Records as for the model; a target and a single other frame of each."""

  num_support: int = 1


def like_data(config: Config) -> PairDataConfig:
  """The records of the model's config, for a baseline beside it."""
  data = dataclasses.asdict(config.data)
  return PairDataConfig(**{**data, 'num_support': 1})


def like_rhythm(config: Config) -> RhythmConfig:
  """As many steps of as many samples as the model's config."""
  names = [field.name for field in dataclasses.fields(RhythmConfig)]
  return RhythmConfig(**{n: getattr(config.training, n) for n in names})
