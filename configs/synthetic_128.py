"""Small model at 128² on synthetic heads, for a GPU. Not yet run.

python -m launch.prepare --dataset=synthetic_heads --data_dir=data_dir \
      --num_identities=2000 --num_frames=16 --fps=4 --image_size=128
python -m launch.train --config=configs/synthetic_128.py --workdir=runs/s128
"""

from configs import synthetic_64
from flaxheads import config as c


def get_config() -> c.Config:
  """Returns the experiment."""
  config = synthetic_64.get_config()
  config.model = c.ModelConfig.small(128)
  config.data.num_support = 8
  config.training.batch_size = 16
  config.training.discriminator_updates = 2
  config.training.num_steps = 40_000
  config.optimizer.decay_steps = 8_000
  return config
