"""X2Face, small, beside video_folder_64: the same records and samples.

  python -m launch.train --config=configs/x2face_video_folder_64.py \
    --workdir=runs/xv64

Budget: 4,500 steps of 8 samples, 36,000 target frames, as video_folder_64.
Run for half as many steps, 2026-11-26: docs/evaluation.md.
"""

from configs import video_folder_64, x2face_64
from flaxheads.baselines.x2face import config as c
from flaxheads.config_parts import like_data, like_rhythm


def get_config() -> c.X2FaceConfig:
  """Returns the experiment."""
  ours = video_folder_64.get_config()
  config = x2face_64.get_config()
  config.data = like_data(ours)
  config.augment = ours.augment
  config.optimizer.decay_steps = ours.optimizer.decay_steps
  config.training = like_rhythm(ours)
  return config
