r"""The bi-layer generator at 128² on rendered heads: the shipped model.

  python -m launch.prepare --dataset=synthetic_heads --data_dir=runs/data \
    --num_identities=300 --num_test_identities=8 --clips_per_identity=1 \
    --num_frames=16 --num_test_frames=16 --fps=4 --image_size=128
  python -m launch.train --config=configs/bilayer_128.py \
    --workdir=runs/bilayer_128
  python -m launch.export --workdir=runs/bilayer_128 --output=models/bilayer_128

The second command also resumes the run. With --config.perceptual.lpips_alex=
FILE.safetensors LPIPS is a term of the loss. Without a discriminator: there is
more in these terms for the time that a CPU has.
"""

from flaxheads import bilayer_config as b


def get_config() -> b.BilayerConfig:
  """Returns the experiment."""
  return b.BilayerConfig(
    data=b.BilayerDataConfig(dataset='synthetic_heads', data_dir='runs/data'),
    optimizer=b.BilayerOptimizerConfig(decay_steps=2000),
    training=b.BilayerTrainingConfig(
      num_steps=20_000, sample_every=250, checkpoint_every=250
    ),
  )
