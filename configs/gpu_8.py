"""The paper's model on eight GPUs of 80 GB (A100 or H100). Not yet run.

python -m launch.train --config=configs/gpu_8.py --workdir=runs/gpu8 \
      --config.data.data_dir=data_dir
"""

from configs import voxceleb2_256
from flaxheads import config as c


def get_config() -> c.Config:
  """Returns the experiment."""
  config = voxceleb2_256.get_config()
  config.training.batch_size = 96
  config.data.num_workers = 16
  return config
