"""Pix2pixHD, small, beside synthetic_64: the same records, as many samples.

  python -m launch.train --config=configs/pix2pixhd_64.py --workdir=runs/p64
  python -m launch.export --workdir=runs/p64 --output=models/pix2pixhd_64

Budget: 16,500 steps of 8 samples, 132,000 target frames, as synthetic_64; the
same augmentation, and the same weight of the content loss. Rates and their
schedule are the published ones. Four times the rate is as good after 400 steps.
Two hours of one core of an AMD EPYC that did other work beside, 2026-11-26.
"""

from configs import synthetic_64
from flaxheads import baseline_config as b


def get_config() -> b.Pix2pixHDConfig:
  """Returns the experiment."""
  ours = synthetic_64.get_config()
  return b.Pix2pixHDConfig(
    model=b.Pix2pixHDModelConfig.small(64),
    loss=b.Pix2pixHDLossConfig(pyramid=ours.loss.pyramid),
    data=b.like_data(ours),
    augment=ours.augment,
    optimizer=b.Pix2pixHDOptimizerConfig(
      decay_steps=ours.training.num_steps // 2
    ),
    training=b.like_rhythm(ours),
  )
