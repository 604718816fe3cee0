"""Pix2pixHD at its published size, beside voxceleb2_256. Not yet run.

  python -m launch.train --config=configs/pix2pixhd_voxceleb2_256.py \
    --config.data.data_dir=data_dir --workdir=runs/p256 \
    --config.perceptual.vgg19=vgg19.safetensors

Budget: as many steps of as many samples as voxceleb2_256. The published code
takes one sample a step; the rates are its own.
"""

from configs import voxceleb2_256
from flaxheads import baseline_config as b


def get_config() -> b.Pix2pixHDConfig:
  """Returns the experiment."""
  ours = voxceleb2_256.get_config()
  return b.Pix2pixHDConfig(
    data=b.like_data(ours),
    augment=ours.augment,
    optimizer=b.Pix2pixHDOptimizerConfig(
      decay_steps=ours.training.num_steps // 2
    ),
    training=b.like_rhythm(ours),
  )
