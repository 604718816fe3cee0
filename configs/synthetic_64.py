"""Small model at 64² on synthetic heads: the recipe of the shipped model.

  python -m launch.prepare --dataset=synthetic_heads --data_dir=data_dir \
    --num_identities=220 --num_test_identities=0 --clips_per_identity=1 \
    --num_frames=16 --fps=4 --image_size=128
  python -m launch.train --config=configs/synthetic_64.py --workdir=runs/s64
  python -m launch.export --workdir=runs/s64 \
    --output=flaxheads/fewshot/synthetic_64

One core of an AMD EPYC, 2026-11-20: 1,850 steps in 37 minutes beside other
work; the last logged content loss is 6.9 (20 times the pyramid L1). The run
was planned for 3,000 steps and shortened at step 1,250, which moved the fall
of the learning rate from step 2,100 to step 1,250. It had by no means
converged: the README has what it reaches on people it never saw.
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
      decay_steps=900,
    ),
    training=c.TrainingConfig(
      num_steps=1850,
      batch_size=8,
      ema_decay=0.998,
      sample_every=250,
      checkpoint_every=500,
    ),
    finetune=c.FinetuneConfig(
      generator_learning_rate=4e-4, discriminator_learning_rate=8e-4
    ),
  )
