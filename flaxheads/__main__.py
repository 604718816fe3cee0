"""The `flaxheads` command: `flaxheads NAME` is `python -m launch.NAME`."""

import importlib.util
import os
import runpy
import sys

COMMANDS = (
  'animate',
  'compile',
  'demo',
  'evaluate',
  'export',
  'finetune',
  'prepare',
  'render_heads',
  'train',
  'train_speech',
  'verify',
  'weights',
)
# The extra that installs a package.
_EXTRAS = {
  **dict.fromkeys(
    ('array_record', 'grain', 'orbax', 'tensorboardX', 'tensorflow_datasets'),
    'train',
  ),
  'apache_beam': 'beam',
  'torch': 'weights',
}
_USAGE_ERROR = 2


def _package() -> str:
  """Where the commands are: installed here, or in the clone around it."""
  if importlib.util.find_spec('flaxheads.launch'):
    return 'flaxheads.launch'
  sys.path.insert(0, os.path.dirname(os.path.dirname(__file__)))
  return 'launch'


def main() -> None:
  """Runs the command that the first argument names."""
  import flaxheads

  name = sys.argv[1] if len(sys.argv) > 1 else '--help'
  if name == '--version':
    print(flaxheads.__version__)
  elif name in ('--help', '-h'):
    print(f'usage: flaxheads COMMAND [--help]\n\n  {", ".join(COMMANDS)}')
  elif name not in COMMANDS:
    print(
      f'flaxheads: {name!r} is not a command; there are {", ".join(COMMANDS)}',
      file=sys.stderr,
    )
    sys.exit(_USAGE_ERROR)
  else:
    del sys.argv[1]
    try:
      runpy.run_module(
        f'{_package()}.{name}', run_name='__main__', alter_sys=True
      )
    except ModuleNotFoundError as error:
      missing = (error.name or '').split('.')[0]
      if missing not in _EXTRAS:
        raise
      print(
        f'{name}: {missing} is not installed; run: {sys.executable} -m pip'
        f" install 'flaxheads[{_EXTRAS[missing]}]'",
        file=sys.stderr,
      )
      sys.exit(_USAGE_ERROR)


if __name__ == '__main__':
  main()
