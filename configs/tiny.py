"""The smallest experiment that exercises everything: for tests."""

from configs import synthetic_64
from flaxheads import config as c


def get_config() -> c.Config:
  """Returns the experiment."""
  config = synthetic_64.get_config()
  config.model = c.ModelConfig(
    image_size=64,
    base_channels=8,
    max_channels=32,
    embedding_size=16,
    num_residual_blocks=1,
    dtype='float32',
  )
  config.loss = c.LossConfig()
  config.data.num_support = 2
  config.training = c.TrainingConfig(
    num_steps=4,
    batch_size=2,
    log_every=1,
    sample_every=2,
    checkpoint_every=2,
  )
  config.optimizer.generator_learning_rate = 5e-4
  config.optimizer.warmup_steps = config.optimizer.decay_steps = 0
  config.finetune.move_share = 0.0
  config.finetune.min_steps = config.finetune.max_steps = 4
  config.finetune.check_every = 2
  return config
