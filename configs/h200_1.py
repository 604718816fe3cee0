"""The paper's model on one GPU of 141 GB (H200). Not yet run.

python -m launch.train --config=configs/h200_1.py --workdir=runs/h200 \
      --config.data.data_dir=data_dir
"""

from configs import voxceleb2_256


def get_config():
  """Returns the experiment."""
  return voxceleb2_256.get_config(batch_size=48, num_workers=12)
