"""Meta-trains a model, or trains a baseline.

  python -m launch.train --config=configs/synthetic_64.py --workdir=runs/s64
  python -m launch.train --config=configs/x2face_64.py --workdir=runs/x64
  python -m launch.train --config=configs/pix2pixhd_64.py --workdir=runs/p64

Every field of the config is a flag: --config.training.num_steps=100. The same
command resumes an interrupted run, on the devices that exist then. --describe
prints the cost of the experiment as one JSON object and trains nothing.

--init_from=MODEL starts from the parameters of a model folder, where names and
shapes agree; WORKDIR/init_from.json lists what was taken and what was not. W
and the optimisers start anew.

On several hosts the same command runs on each, with --distributed: on a Cloud
TPU slice or under Slurm the processes find one another; elsewhere give
--coordinator, --num_processes and --process_id. The workdir must be one that
all of them see.
"""

import json
import os

from absl import flags
from etils import epath

from flaxheads.errors import UserError, check_range

from . import _config_flags, _logs, _malloc, app

_experiment = _config_flags.define_experiment()
flags.declare_key_flag('config')  # for --help
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Folder of the run, new or to be resumed.'
)
_DEVICES = flags.DEFINE_integer(
  'num_devices', None, 'Number of devices. Default: all.'
)
_PROFILE = flags.DEFINE_integer(
  'profile_steps', 0, 'Number of steps to trace into WORKDIR/profile.'
)
_DISTRIBUTED = flags.DEFINE_bool(
  'distributed', False, 'Join the processes of the other hosts.'
)
_COORDINATOR = flags.DEFINE_string(
  'coordinator', None, 'HOST:PORT of the first process.'
)
_PROCESSES = flags.DEFINE_integer(
  'num_processes', None, 'Number of processes of the run.'
)
_PROCESS = flags.DEFINE_integer(
  'process_id', None, 'Number of this process, from 0.'
)
_INIT_FROM = flags.DEFINE_string(
  'init_from', '', 'Model folder whose parameters a new run starts from.'
)
_DESCRIBE = flags.DEFINE_bool(
  'describe', False, 'Print the cost and train nothing.'
)


def _start_processes(parallel):
  """Joins the other hosts, where there are any."""
  given = (_COORDINATOR, _PROCESSES, _PROCESS)
  present = [flag for flag in given if flag.value is not None]
  if present and not _DISTRIBUTED.value:
    raise UserError(f'--{present[0].name} needs --distributed')
  if present and len(present) < len(given):
    missing = next(flag for flag in given if flag.value is None)
    given = f'--{present[0].name} is given'
    raise UserError(f'--{missing.name} is missing: {given}')
  if _DISTRIBUTED.value:
    parallel.start_processes(*(flag.value for flag in given))


def _begin_from(recipe, model, workdir):
  """The recipe that begins with the model's parameters, and reports it."""
  from flaxheads.training import parallel, warm_start

  def report(found):
    facts = {'model': _INIT_FROM.value, **found._asdict()}
    del facts['params']
    if parallel.is_first_process():
      path = epath.Path(workdir) / 'init_from.json'
      path.write_text(json.dumps(facts, indent=2))
      taken, left = len(found.taken), len(found.left)
      print(
        f'{_INIT_FROM.value}: {taken} tensors taken, {left} not; see {path}'
      )

  return warm_start.begin_from(recipe, model.params, _INIT_FROM.value, report)


def _load_initial(config):
  """The model of --init_from, None without it."""
  if not _INIT_FROM.value:
    return None
  kind = getattr(config, 'kind', 'model')
  if kind not in ('model', 'bilayer'):
    raise UserError(
      f'--init_from={_INIT_FROM.value}: not supported for {kind}; omit it'
    )
  from flaxheads import fewshot

  model = fewshot.load_model(_INIT_FROM.value)
  names = {True: "the paper's generator", False: 'a bi-layer generator'}
  direct = isinstance(model, fewshot.Model)
  if direct != (kind == 'model'):
    raise UserError(
      f'--init_from={_INIT_FROM.value}: a model of {names[direct]}; this'
      f' --config needs one of {names[not direct]}'
    )
  return model


def main():
  """Trains, or describes."""
  _malloc.make_gaps()
  config = _experiment()
  _logs.log_info()
  if _DESCRIBE.value:
    from flaxheads.programs import describe

    print(json.dumps(describe(config)))
    return
  if not _WORKDIR.value:
    raise UserError('--workdir is missing: the folder of the run')
  if not config.data.data_dir:
    raise UserError(
      '--config.data.data_dir is missing: the --data_dir of launch.prepare'
    )
  check_range('--profile_steps', _PROFILE.value, 0)
  check_range('--num_devices', _DEVICES.value or 1, 1)
  from flaxheads import experiments
  from flaxheads.data.pipeline import make_source
  from flaxheads.training import parallel
  from flaxheads.training.loop import train

  _start_processes(parallel)
  initial = _load_initial(config)
  workdir = os.path.expanduser(_WORKDIR.value)
  data = config.data  # a missing dataset is reported before networks are loaded
  make_source(data.dataset, data.data_dir, data.split)
  recipe = experiments.make_recipe(config)
  if initial:
    recipe = _begin_from(recipe, initial, workdir)
  state, scalars = train(
    recipe, config, workdir, _DEVICES.value, _PROFILE.value
  )
  if not parallel.is_first_process():
    return
  step, path = int(state.step), epath.Path(workdir) / 'report.json'
  if not scalars:  # report.json is unchanged
    print(f'{workdir}: trained already, {step} steps; raise num_steps for more')
    return
  part = path.with_suffix('.part')
  part.write_text(json.dumps({'step': step, **scalars}, indent=2))
  part.replace(path)
  print(f'{workdir}: {step} steps; see {path}')


if __name__ == '__main__':
  app.run(main)
