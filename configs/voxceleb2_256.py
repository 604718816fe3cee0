"""The paper: VoxCeleb2 at 256², K = 8, v2 loss weights, fine-tunable.

  python -m launch.train --config=configs/voxceleb2_256.py --workdir=WORKDIR \
      --config.data.data_dir=DATA --config.perceptual.vgg19=VGG19.safetensors \
      --config.perceptual.vggface=VGGFACE.safetensors

75 epochs of 145,569 videos. The batch of 48 is ours: the paper does not name
one. Nothing is flipped or recoloured, since one row W_i stands for a video.
loss.mismatch, which is ours and teaches D to tell people apart, is 0 as in the
paper; docs/results.md has what it does. Not yet run.
"""

import math

from flaxheads import config as c

NUM_VIDEOS = 145_569
NUM_EPOCHS = 75
BATCH_SIZE = 48  # at which the paper's learning rates are taken as they are


def get_config(batch_size: int = BATCH_SIZE, num_workers: int = 0) -> c.Config:
  """Returns the experiment: the same epochs, whatever the batch.

  Rates of Adam grow with the square root of the batch (Malladi et al. 2022),
  since there are fewer steps. That of W does not: a row is visited as often.
  """
  optimizer = c.OptimizerConfig()
  growth = math.sqrt(batch_size / BATCH_SIZE)
  optimizer.generator_learning_rate *= growth
  optimizer.discriminator_learning_rate *= growth
  return c.Config(
    loss=c.LossConfig.v2(),
    data=c.DataConfig(num_workers=num_workers),
    augment=c.AugmentConfig(flip=False, colour=0.0),
    optimizer=optimizer,
    training=c.TrainingConfig(
      batch_size=batch_size, num_steps=NUM_EPOCHS * NUM_VIDEOS // batch_size
    ),
  )
