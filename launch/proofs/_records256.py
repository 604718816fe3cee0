"""The records that proofs of the pipeline read: 256², K = 8."""

from pathlib import Path

from absl import flags

from launch.proofs import _commands as commands

NUM_SUPPORT = 8
IMAGE_SIZE = 256

_DATASET = flags.DEFINE_string(
  'dataset', 'synthetic_heads', 'A prepared data set with frames of 256².'
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', '', 'Where it is; empty: synthetic heads are rendered first.'
)
_RENDERED = 'out/proofs/pipeline/data'


def find() -> tuple[str, str]:
  """Name and folder of the data set, which is rendered unless one is given."""
  if _DATA_DIR.value:
    return _DATASET.value, str(Path(_DATA_DIR.value).expanduser())
  commands.run(
    f'prepare --dataset=synthetic_heads --data_dir={_RENDERED} '
    '--num_identities=24 --num_test_identities=0 --clips_per_identity=1 '
    '--num_frames=16 --fps=4 --image_size=256'
  )
  return 'synthetic_heads', _RENDERED
