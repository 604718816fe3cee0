"""Times flaxheads, beside its PyTorch twin and beside the machine's limits.

python -m launch.benchmark --size=cpu --output=out/benchmark

Programs of a suite take turns in one run; medians and quartiles are reported.
A Python that has torch (`make benchmark` makes one) times the twin, too: all
its ways are tried, and the best is timed. Each suite is kept as soon as it is
done; another call with the same --output measures the suites that are asked
for again, and leaves the others. docs/benchmark.md says what the figures mean.
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
from launch import _memory, app

_memory.make_holes()  # here, for processes of a program that import this

_SIZE = flags.DEFINE_string('size', 'cpu', 'cpu, gpu, or tiny for a look.')
_SUITES = flags.DEFINE_list('suites', [], 'Suites to run; none: all.')
_TWIN = flags.DEFINE_bool('twin', True, 'Time the twin where torch is there.')
_REPEATS = flags.DEFINE_integer('repeats', None, 'Turns.', lower_bound=1)
_OUTPUT = flags.DEFINE_string('output', 'out/benchmark', 'A folder.')


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
      f'{path}: of another machine or size; give another --output'
    )
  return suites


def main():
  """Measures, and writes report.json and table.md."""
  from flaxheads.benchmark import ceilings, sizes, suites, table
  from flaxheads.data.output_files import atomic_path

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
  if _TWIN.value and importlib.util.find_spec('torch'):
    from flaxheads.benchmark.twin import programs

    options = programs.options(size.experiment.model.dtype == 'bfloat16')
    report['twin'] = programs.facts()
  dtype = size.experiment.model.dtype
  report['ceilings'] = ceilings.measure(dtype, size.matrix_side)
  for name in _SUITES.value or suites.SUITES:
    bar = functools.partial(app.progress_bar, desc=name, unit=' turns')
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
