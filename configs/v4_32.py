"""The paper's model on 16 TPU v4 on four hosts, 32 GB each: v4-32.

python -m launch.compile_tpu --config=configs/v4_32.py --topology=v4:2x2x4
"""

from configs import voxceleb2_256
from flaxheads import config as c


def get_config() -> c.Config:
  """Returns the experiment."""
  config = voxceleb2_256.get_config()
  config.training.batch_size = 96
  config.data.num_workers = 8
  return config
