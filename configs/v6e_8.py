"""The paper's model on Eight TPU v6e, 32 GB each: v6e-8.

python -m launch.compile_tpu --config=configs/v6e_8.py --topology=v6e:2x4
"""

from configs import voxceleb2_256
from flaxheads import config as c


def get_config() -> c.Config:
  """Returns the experiment."""
  config = voxceleb2_256.get_config()
  config.training.batch_size = 64
  config.data.num_workers = 8
  return config
