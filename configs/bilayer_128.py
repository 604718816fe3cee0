r"""The bi-layer generator at 128² on heads from scans: the shipped model.

  python -m launch.prepare --dataset=scanned_heads --data_dir=runs/data \
    --num_identities=400 --num_test_identities=8 --clips_per_identity=1 \
    --num_frames=16 --num_test_frames=16 --fps=4 --image_size=128
  python -m launch.weights --fetch=lpips_alex --output=runs/alex.safetensors
  python -m launch.train --config=configs/bilayer_128.py \
    --config.perceptual.lpips_alex=runs/alex.safetensors \
    --workdir=runs/bilayer_128
  python -m launch.export --workdir=runs/bilayer_128 --output=models/bilayer_128

The third command also resumes the run. There is no discriminator: in the first
hours on a CPU the other terms gain more per second. The generator has
996,096 parameters and E 442,069.

Two cores of an Intel Xeon at 2.8 GHz that mostly did other work too, 2026-11-29
and 30: the data take 25 minutes, a step of 8 samples 0.5 to 2 s. The shipped
export is that of step 7,761 of the 20,000, after 4.1 hours; docs/results.md has
figures. The run started (`--init_from`) from 2,600 steps of another one, and
that from 4,041 steps (100 minutes) on an earlier rendering of the same people.
In all of them, upper lids ended at the detected points, above the lashes.
"""

from flaxheads import bilayer_config as b


def get_config() -> b.BilayerConfig:
  """Returns the experiment."""
  return b.BilayerConfig(
    data=b.BilayerDataConfig(dataset='scanned_heads', data_dir='runs/data'),
    optimizer=b.BilayerOptimizerConfig(decay_steps=2000),
    # As the run of the shipped model has it; without a discriminator and L_MCH
    # nothing reads W.
    identity_table=b.IdentityTableConfig(initial_size=0.1),
    training=b.BilayerTrainingConfig(
      num_steps=20_000, sample_every=250, checkpoint_every=250
    ),
  )
