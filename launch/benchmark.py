"""Times flaxheads beside the PyTorch reference implementation.

python -m launch.benchmark --size=cpu --output=out/benchmark

The suites are in tests/benchmark, so this runs from a clone. The programs of a
suite take turns; medians and quartiles are reported. Where torch is installed
(`make benchmark` does), every variant of the reference implementation is
tried and the fastest is timed. Each suite is saved as soon as it is done; a
second call with the same --output measures only the suites it names.
docs/benchmark.md explains the figures.
"""

import datetime
import functools
import importlib.util
import json
import os
import platform
from pathlib import Path

from absl import flags

from flaxheads.errors import UserError, check_choice

from . import _logs, _malloc, app

_malloc.make_gaps()  # here, for processes of a program that import this

_SIZE = flags.DEFINE_string(
  'size', 'cpu', 'cpu, gpu or tiny (its figures mean nothing).'
)
_SUITES = flags.DEFINE_list('suites', [], 'Suites to run. Default: all.')
_REFERENCE = flags.DEFINE_bool('reference', True, 'Time PyTorch as well.')
_REPEATS = flags.DEFINE_integer(
  'repeats', None, 'Number of timed runs of each program.', lower_bound=1
)
_OUTPUT = flags.DEFINE_string(
  'output', 'out/benchmark', 'Folder for the report.'
)


def _describe_machine() -> str:
  from flaxheads.training import parallel

  device = parallel.make_mesh(1).devices.flat[0]
  cores = len(os.sched_getaffinity(0))
  name = platform.processor() or platform.machine()
  for line in Path('/proc/cpuinfo').read_text().splitlines():
    if line.startswith('model name'):
      name = line.partition(': ')[2]
      break
  if device.platform == 'cpu':
    return f'{cores} cores of {name}'
  return f'one {device.device_kind}, {cores} cores of {name}'


def _read_before(path: Path, facts: dict) -> dict:
  """The suites of an earlier call on the same machine and size."""
  if not path.exists():
    return {}
  try:
    before = json.loads(path.read_text(encoding='utf-8'))
    same = all(before[key] == facts[key] for key in ('machine', 'size'))
    suites = dict(before['suites'])
  except (OSError, ValueError, KeyError, TypeError):
    raise UserError(
      f'{path}: not a report of launch.benchmark; give another --output'
    ) from None
  if not same:
    raise UserError(
      f'{path}: is of another machine or size; give another --output'
    )
  return suites


def main():
  """Measures, and writes report.json and table.md."""
  if importlib.util.find_spec('tests') is None:
    raise UserError('the benchmark is in tests/: run it from a clone')
  from flaxheads.data.output_files import atomic_path
  from tests.benchmark import ceilings, sizes, suites, table

  check_choice('--size', _SIZE.value, sizes.SIZES)
  for name in _SUITES.value:
    check_choice('--suites', name, tuple(suites.SUITES))
  size = sizes.find(_SIZE.value, _REPEATS.value)
  app.check_folder('output', _OUTPUT.value)
  folder = Path(_OUTPUT.value).expanduser()
  report = {
    'machine': _describe_machine(),
    'size': size.name,
    'date': datetime.date.today().isoformat(),
  }
  done = _read_before(folder / 'report.json', report)
  folder.mkdir(parents=True, exist_ok=True)
  options = {}
  if _REFERENCE.value and importlib.util.find_spec('torch'):
    from tests.benchmark.reference import programs

    options = programs.options(size.experiment.model.dtype == 'bfloat16')
    report['reference'] = programs.facts()
  dtype = size.experiment.model.dtype
  report['ceilings'] = ceilings.measure(dtype, size.matrix_side)
  for name in _SUITES.value or suites.SUITES:
    bar = functools.partial(_logs.progress_bar, desc=name, unit=' turns')
    rows, tried = suites.SUITES[name](size, options, bar)
    rows = table.to_json(rows, report['ceilings'])
    done[name] = {'date': report['date'], 'rows': rows, 'tried': tried}
    report['suites'] = {k: done[k] for k in suites.SUITES if k in done}
    text = table.to_markdown(report)
    with atomic_path(folder / 'report.json') as path:
      path.write_text(json.dumps(report, indent=2), encoding='utf-8')
    with atomic_path(folder / 'table.md') as path:
      path.write_text(text, encoding='utf-8')
  print(text, end='')
  print(f'{folder}: report.json, table.md')


if __name__ == '__main__':
  app.run(main)
