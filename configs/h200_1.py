"""The paper's model on one GPU of 141 GB (H200). Not yet run.

python -m launch.train --config=configs/h200_1.py --workdir=runs/h200 \
      --config.data.data_dir=data_dir
"""

from configs import voxceleb2_256
from flaxheads import config as c


def get_config() -> c.Config:
  """Returns the experiment."""
  config = voxceleb2_256.get_config()
  config.training.batch_size = 48
  config.data.num_workers = 12
  return config
