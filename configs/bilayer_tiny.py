"""The smallest experiment with the bi-layer generator: for tests."""

from flaxheads import bilayer_config as b


def get_config() -> b.BilayerConfig:
  """Returns the experiment, with a discriminator."""
  return b.BilayerConfig(
    model=b.BilayerModelConfig(
      image_size=64,
      window_size=32,
      base_channels=8,
      max_channels=16,
      embedding_size=16,
      num_residual_blocks=1,
      bottleneck_size=8,
    ),
    loss=b.BilayerLossConfig(
      adversarial=1.0, feature_matching=10.0, match=10.0
    ),
    data=b.BilayerDataConfig(
      dataset='synthetic_heads', data_dir='data_dir', num_support=2
    ),
    optimizer=b.BilayerOptimizerConfig(warmup_steps=0),
    identity_table=b.IdentityTableConfig(initial_size=0.4),
    training=b.BilayerTrainingConfig(
      num_steps=4,
      batch_size=2,
      log_every=1,
      sample_every=2,
      checkpoint_every=2,
    ),
  )
