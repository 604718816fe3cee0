"""X2Face at its published size, beside voxceleb2_256. Not yet run.

  python -m launch.train --config=configs/x2face_voxceleb2_256.py \
    --config.data.data_dir=data_dir --workdir=runs/x256 \
    --config.perceptual.vggface=vggface.safetensors \
    --config.identity.num_steps=45000

Budget: as many steps of as many samples as voxceleb2_256. The published code
takes 16 samples a step; the rate is its own.
"""

from configs import voxceleb2_256
from flaxheads import baseline_config as b


def get_config() -> b.X2FaceConfig:
  """Returns the experiment."""
  ours = voxceleb2_256.get_config()
  return b.X2FaceConfig(
    data=b.like_data(ours),
    augment=ours.augment,
    training=b.like_rhythm(ours),
  )
