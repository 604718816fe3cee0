"""The paper's model on 64 TPU v5e on 16 hosts, 16 GB each: v5litepod-64.

python -m launch.compile --config=configs/v5e_64.py --topology=v5e:8x8
"""

from configs import voxceleb2_256


def get_config():
  """Returns the experiment."""
  return voxceleb2_256.get_config(batch_size=256, num_workers=8)
