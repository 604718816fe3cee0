"""The paper's model on eight TPU v6e, 32 GB each: v6e-8.

python -m launch.compile --config=configs/v6e_8.py --topology=v6e:2x4
"""

from configs import voxceleb2_256


def get_config():
  """Returns the experiment."""
  return voxceleb2_256.get_config(batch_size=64, num_workers=8)
