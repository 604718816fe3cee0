"""Pix2pixHD, small, beside synthetic_64: the same records, as many samples.

  python -m launch.train --config=configs/pix2pixhd_64.py --workdir=runs/p64
  python -m launch.export --workdir=runs/p64 --output=models/pix2pixhd_64

Budget: 16,500 steps of 8 samples, 132,000 target frames, as synthetic_64; the
same augmentation, and the same weight of the content loss. Rates and their
schedule are the published ones. Four times the rate is as good after 400 steps.
Two hours of one core of an AMD EPYC that did other work too, 2026-11-26.
"""

from configs import synthetic_64
from flaxheads.baselines.pix2pixhd import config as c
from flaxheads.config_parts import like_data, like_rhythm


def get_config() -> c.Pix2pixHDConfig:
  """Returns the experiment."""
  ours = synthetic_64.get_config()
  return c.Pix2pixHDConfig(
    model=c.Pix2pixHDModelConfig.small(64),
    loss=c.Pix2pixHDLossConfig(pyramid=ours.loss.pyramid),
    data=like_data(ours),
    augment=ours.augment,
    optimizer=c.Pix2pixHDOptimizerConfig(
      decay_steps=ours.training.num_steps // 2
    ),
    training=like_rhythm(ours),
  )
