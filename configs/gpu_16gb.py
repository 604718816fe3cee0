"""The paper's model on one GPU of 16 GB or more (T4, L4). Not yet run.

python -m launch.train --config=configs/gpu_16gb.py --workdir=runs/gpu \
      --config.data.data_dir=data_dir
"""

from configs import voxceleb2_256


def get_config():
  """Returns the experiment."""
  return voxceleb2_256.get_config(batch_size=8, num_workers=2)
