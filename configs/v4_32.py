"""The paper's model on 16 TPU v4 on four hosts, 32 GB each: v4-32.

python -m launch.compile --config=configs/v4_32.py --topology=v4:2x2x4
"""

from configs import voxceleb2_256


def get_config():
  """Returns the experiment."""
  return voxceleb2_256.get_config(batch_size=96, num_workers=8)
