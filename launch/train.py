"""Meta-trains a model.

  python -m launch.train --config=configs/synthetic_64.py --workdir=runs/s64

Every field of the config is a flag: --config.training.num_steps=100. A
workdir that holds a run of the same experiment is gone on with. --describe
prints what the experiment costs, as one JSON object, and trains nothing.
"""

import json
import os

from absl import flags
from ml_collections import config_flags

from flaxheads.errors import UserError
from launch import app

_CONFIG = config_flags.DEFINE_config_file('config', None, 'A file in configs/.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the run.')
_DESCRIBE = flags.DEFINE_bool('describe', False, 'Print the cost, and stop.')


def main():
  """Trains, or describes."""
  if _CONFIG.value is None:
    raise UserError('--config is missing; configs/ holds the presets')
  config = _CONFIG.value.validate()
  app.log_info()
  if _DESCRIBE.value:
    from flaxheads.training.describe import describe

    print(json.dumps(describe(config)))
    return
  if not _WORKDIR.value:
    raise UserError('--workdir is missing: the folder of the run')
  if not config.data.data_dir:
    raise UserError(
      '--config.data.data_dir is missing: the --data_dir of launch.prepare'
    )
  from flaxheads.training.loop import train

  workdir = os.path.expanduser(_WORKDIR.value)
  state, scalars = train(config, workdir)
  step, path = int(state.step), os.path.join(workdir, 'report.json')
  if not scalars:  # its report stands
    print(f'{workdir}: trained already, {step} steps; raise num_steps for more')
    return
  with open(path, 'w', encoding='utf-8') as file:
    json.dump({'step': step, **scalars}, file, indent=2)
  print(f'{workdir}: {step} steps; see {path}')


if __name__ == '__main__':
  app.run(main)
