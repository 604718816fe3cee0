"""The paper's model on one host of eight TPU v5e, 16 GB each: v5litepod-8.

python -m launch.compile --config=configs/v5e_8.py --topology=v5e:2x4
"""

from configs import voxceleb2_256


def get_config():
  """Returns the experiment."""
  return voxceleb2_256.get_config(batch_size=48, num_workers=8)
