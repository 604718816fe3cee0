"""The bi-layer generator at 256² on VoxCeleb2, with D and W. Not yet run.

python -m launch.train --config=configs/voxceleb2_256_bilayer.py \
    --config.perceptual.lpips_vgg=FILE.safetensors \
    --config.data.data_dir=gs://BUCKET/data --workdir=gs://BUCKET/runs/bilayer

The generator and E have four times the channels of bilayer_128; D sees the
window at 128².
"""

from flaxheads import bilayer_config as b


def get_config() -> b.BilayerConfig:
  """Returns the experiment."""
  return b.BilayerConfig(
    model=b.BilayerModelConfig(
      image_size=256,
      window_size=160,
      embedder_size=128,
      base_channels=64,
      max_channels=512,
      embedding_size=512,
      num_residual_blocks=5,
      dtype='bfloat16',
    ),
    loss=b.BilayerLossConfig(
      adversarial=1.0, feature_matching=10.0, match=10.0
    ),
    data=b.BilayerDataConfig(dataset='voxceleb2', num_support=8),
    optimizer=b.BilayerOptimizerConfig(
      generator_learning_rate=2e-4, discriminator_learning_rate=2e-4, b1=0.5
    ),
    identity_table=b.IdentityTableConfig(initial_size=0.4),
    training=b.BilayerTrainingConfig(num_steps=200_000, batch_size=48),
  )
