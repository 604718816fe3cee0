"""Small model at 64² on synthetic heads: the recipe of the shipped model.

python -m launch.prepare --dataset=synthetic_heads --data_dir=data_dir \
      --num_identities=400 --image_size=64
python -m launch.train --config=configs/synthetic_64.py --workdir=runs/s64
"""

from flaxheads import config as c


def get_config() -> c.Config:
  """Returns the experiment."""
  return c.Config(
    model=c.ModelConfig.small(64),
    data=c.DataConfig(
      dataset='synthetic_heads', data_dir='data_dir', num_support=4
    ),
    augment=c.AugmentConfig(colour=0.05),
    optimizer=c.OptimizerConfig(
      generator_learning_rate=5e-4,
      discriminator_learning_rate=4e-4,
      b1=0.5,
      warmup_steps=100,
      decay_steps=1500,
    ),
    training=c.TrainingConfig(
      num_steps=5000,
      batch_size=8,
      ema_decay=0.998,
      sample_every=250,
      checkpoint_every=500,
    ),
    finetune=c.FinetuneConfig(
      generator_learning_rate=4e-4, discriminator_learning_rate=8e-4
    ),
  )
