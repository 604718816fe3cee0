"""Pix2pixHD, small, beside video_folder_64: the same records and samples.

  python -m launch.train --config=configs/pix2pixhd_video_folder_64.py \
    --workdir=runs/pv64

Budget: 4,500 steps of 8 samples, 36,000 target frames, as video_folder_64.
Run for half as many steps, 2026-11-26: docs/evaluation.md.
"""

from configs import pix2pixhd_64, video_folder_64
from flaxheads.baselines.pix2pixhd import config as c
from flaxheads.config_parts import like_data, like_rhythm


def get_config() -> c.Pix2pixHDConfig:
  """Returns the experiment."""
  ours = video_folder_64.get_config()
  config = pix2pixhd_64.get_config()
  config.loss.pyramid = ours.loss.pyramid
  config.data = like_data(ours)
  config.augment = ours.augment
  config.optimizer.decay_steps = ours.training.num_steps // 2
  config.training = like_rhythm(ours)
  return config
