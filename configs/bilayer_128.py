r"""The bi-layer generator at 128² on rendered heads, for a CPU or a GPU.

  python -m launch.prepare --dataset=synthetic_heads --data_dir=runs/data \
    --num_identities=300 --num_test_identities=8 --clips_per_identity=1 \
    --num_frames=16 --num_test_frames=16 --fps=4 --image_size=128
  python -m launch.train --config=configs/bilayer_128.py \
    --config.perceptual.lpips_alex=runs/weights/lpips_alex.safetensors \
    --workdir=runs/bilayer_128
  python -m launch.export --workdir=runs/bilayer_128 --output=models/bilayer_128

The second command resumes the run, too. Without a file of LPIPS leave its flag
out. There is no discriminator: in the first hours on a CPU the other terms
teach more for their time.

Not yet trained to its end. The generator has 996,096 parameters and E 442,069.
A step of 8 samples took 1.6 CPU-seconds, measured over 20 steps on a busy
machine of two cores, 2026-11-29; 20,000 steps are then about nine CPU-hours.
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
