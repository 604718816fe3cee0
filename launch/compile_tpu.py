"""Compiles the training step of a config for TPUs that are not there.

python -m launch.compile_tpu --config=configs/v5e_8.py --topology=v5e:2x4

Needs libtpu (`pip install 'jax[tpu]'`), no TPU. Reports for each chip what a
step costs, and the least time that it and 75 epochs of VoxCeleb2 can take by
the chip's datasheet; XLA counts prefetched bytes more than once, so that
memory traffic is for comparing. A config of 256² takes minutes.
"""

import json
import os

from absl import flags

from . import app

_experiment = app.define_experiment()
_TOPOLOGY = flags.DEFINE_string(
  'topology', None, 'Chips and their arrangement, such as v5e:2x4.'
)
_OUTPUT = flags.DEFINE_string('output', None, 'JSON file to write, too.')


def main():
  """Compiles and reports."""
  config = _experiment()
  app.check_given(_TOPOLOGY)
  app.log_info()
  from flaxheads.data.output_files import atomic_path
  from flaxheads.training import parallel
  from flaxheads.training.cost import describe_on

  os.environ.setdefault('TPU_SKIP_MDS_QUERY', '1')  # we are on no TPU machine
  os.environ.setdefault('ALLOW_MULTIPLE_LIBTPU_LOAD', '1')  # and share none
  mesh = parallel.make_topology_mesh(_TOPOLOGY.value)
  figures = {'topology': _TOPOLOGY.value, **describe_on(config, mesh)}
  if _OUTPUT.value:
    with atomic_path(os.path.expanduser(_OUTPUT.value)) as path:
      path.write_text(json.dumps(figures, indent=2))
  print(json.dumps(figures))


if __name__ == '__main__':
  app.run(main)
