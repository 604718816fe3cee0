"""The paper's model on one GPU of 40 or 80 GB (A100, H100). Not yet run.

python -m launch.train --config=configs/a100_1.py --workdir=runs/a100 \
      --config.data.data_dir=data_dir

The batch is processed in two parts, which leaves 40 GB room.
"""

from configs import voxceleb2_256


def get_config():
  """Returns the experiment."""
  config = voxceleb2_256.get_config(num_workers=12)
  config.training.accumulation_steps = 2
  return config
