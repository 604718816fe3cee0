"""The paper: VoxCeleb2 at 256², K = 8, v2 loss weights, fine-tunable.

  python -m launch.train --config=configs/voxceleb2_256.py --workdir=WORKDIR \
      --config.data.data_dir=DATA --config.perceptual.vgg19=VGG19.safetensors \
      --config.perceptual.vggface=VGGFACE.safetensors

75 epochs of 145,569 videos at batch 48. Not yet run.
"""

from flaxheads import config as c

NUM_VIDEOS = 145_569
NUM_EPOCHS = 75


def get_config(batch_size: int = 48, num_workers: int = 0) -> c.Config:
  """Returns the experiment: the same epochs, whatever the batch."""
  training = c.TrainingConfig(batch_size=batch_size)
  training.num_steps = NUM_EPOCHS * NUM_VIDEOS // batch_size
  data = c.DataConfig(num_workers=num_workers)
  return c.Config(loss=c.LossConfig.v2(), data=data, training=training)
