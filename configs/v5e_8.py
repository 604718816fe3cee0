"""The paper's model on One host of eight TPU v5e, 16 GB each: v5litepod-8.

python -m launch.compile_tpu --config=configs/v5e_8.py --topology=v5e:2x4
"""

from configs import voxceleb2_256
from flaxheads import config as c


def get_config() -> c.Config:
  """Returns the experiment."""
  config = voxceleb2_256.get_config()
  config.training.batch_size = 48
  config.data.num_workers = 8
  return config
