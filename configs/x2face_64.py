"""X2Face, small, beside synthetic_64: the same records, as many samples.

  python -m launch.train --config=configs/x2face_64.py --workdir=runs/x64
  python -m launch.export --workdir=runs/x64 --output=models/x2face_64

Budget: 16,500 steps of 8 samples, 132,000 target frames, as synthetic_64; the
same augmentation. The rate is ours: docs/evaluation.md. 80 minutes of one core
of an AMD EPYC that did other work too, 2026-11-26.
"""

from configs import synthetic_64
from flaxheads.baselines.x2face import config as c
from flaxheads.config_parts import like_data, like_rhythm


def get_config() -> c.X2FaceConfig:
  """Returns the experiment."""
  ours = synthetic_64.get_config()
  return c.X2FaceConfig(
    model=c.X2FaceModelConfig.small(64),
    data=like_data(ours),
    augment=ours.augment,
    optimizer=c.MomentumConfig(
      learning_rate=1e-2, decay_steps=ours.optimizer.decay_steps
    ),
    training=like_rhythm(ours),
  )
