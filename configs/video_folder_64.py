"""Small model at 64² on your own folder of videos.

python -m launch.prepare --dataset=video_folder --source=clips/ \
      --data_dir=data_dir
python -m launch.train --config=configs/video_folder_64.py --workdir=runs/v64

On 29 short clips 4,500 steps took 73 minutes of one core of an AMD EPYC
(2026-11-20); docs/results.md has the results on six other people.
"""

from configs import synthetic_64
from flaxheads import config as c


def get_config() -> c.Config:
  """Returns the experiment."""
  config = synthetic_64.get_config()
  config.loss = c.LossConfig()
  config.data.dataset = 'video_folder'
  config.data.num_support = 4
  config.augment = c.AugmentConfig()
  config.finetune.generator_learning_rate = 4e-4
  config.finetune.move_share = 0.0
  config.finetune.blend = 1.0  # with few clips the start resembles others
  config.optimizer.generator_learning_rate = 5e-4
  config.optimizer.decay_steps = 900
  config.training.num_steps = 4500
  config.training.discriminator_updates = 2
  return config
