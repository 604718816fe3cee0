"""The paper's model on eight GPUs of 80 GB (A100 or H100). Not yet run.

python -m launch.train --config=configs/gpu_8.py --workdir=runs/gpu8 \
      --config.data.data_dir=data_dir
"""

from configs import voxceleb2_256


def get_config():
  """Returns the experiment."""
  return voxceleb2_256.get_config(batch_size=96, num_workers=16)
