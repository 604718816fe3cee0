"""X2Face at its published size, beside voxceleb2_256. Not yet run.

  python -m launch.train --config=configs/x2face_voxceleb2_256.py \
    --config.data.data_dir=data_dir --workdir=runs/x256 \
    --config.perceptual.vggface=vggface.safetensors \
    --config.identity.num_steps=45000

Budget: as many steps of as many samples as voxceleb2_256. The published code
takes 16 samples a step; the rate is its own.
"""

from configs import voxceleb2_256
from flaxheads.baselines.x2face import config as c
from flaxheads.config_parts import like_data, like_rhythm


def get_config() -> c.X2FaceConfig:
  """Returns the experiment."""
  ours = voxceleb2_256.get_config()
  return c.X2FaceConfig(
    data=like_data(ours),
    augment=ours.augment,
    training=like_rhythm(ours),
  )
