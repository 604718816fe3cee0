"""Pix2pixHD at its published size, beside voxceleb2_256. Not yet run.

  python -m launch.train --config=configs/pix2pixhd_voxceleb2_256.py \
    --config.data.data_dir=data_dir --workdir=runs/p256 \
    --config.perceptual.vgg19=vgg19.safetensors

Budget: as many steps of as many samples as voxceleb2_256. The published code
takes one sample a step; the rates are its own.
"""

from configs import voxceleb2_256
from flaxheads.baselines.pix2pixhd import config as c
from flaxheads.config_parts import like_data, like_rhythm


def get_config() -> c.Pix2pixHDConfig:
  """Returns the experiment."""
  ours = voxceleb2_256.get_config()
  return c.Pix2pixHDConfig(
    data=like_data(ours),
    augment=ours.augment,
    optimizer=c.Pix2pixHDOptimizerConfig(
      decay_steps=ours.training.num_steps // 2
    ),
    training=like_rhythm(ours),
  )
