"""The paper's model on 64 TPU v5e on 16 hosts, 16 GB each: v5litepod-64.

python -m launch.compile_tpu --config=configs/v5e_64.py --topology=v5e:8x8
"""

from configs import voxceleb2_256
from flaxheads import config as c


def get_config() -> c.Config:
  """Returns the experiment."""
  config = voxceleb2_256.get_config()
  config.training.batch_size = 256
  config.data.num_workers = 8
  return config
