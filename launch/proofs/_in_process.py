"""Commands run one after another in one process, which has imported them."""

import contextlib
import io
import pathlib
import runpy
import sys
from typing import NamedTuple

from absl import flags, logging

from launch import app

_ROOT = pathlib.Path(__file__).resolve().parents[2]


class Done(NamedTuple):
  """What a command left on the terminal, and its exit code."""

  code: int
  out: str
  err: str


def call(name, *arguments) -> Done:
  """Runs `python -m launch.NAME ARGUMENTS` within this process.

  Its flags are forgotten afterwards, so that the next command can define its
  own. Messages of C++ code are not seen here; `start` sees them.
  """
  known = set(flags.FLAGS)
  argv = sys.argv
  sys.argv = [name, *map(str, arguments)]
  out, err = io.StringIO(), io.StringIO()
  code = None
  try:
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
      runpy.run_module(f'launch.{name}', run_name='__main__', alter_sys=True)
  except SystemExit as error:
    code = error.code or 0
  finally:
    # Those of libraries stay: they are defined but once.
    ours = (sys.argv[0], str(_ROOT), 'launch', 'ml_collections')
    owners = set()
    for flag in set(flags.FLAGS) - known:
      owner = flags.FLAGS.find_module_defining_flag(flag)
      if '.' in flag or owner.startswith(ours):
        delattr(flags.FLAGS, flag)
        owners.add(owner)
    # Modules that define a command's flags define them once more.
    for module in owners:
      if module.startswith('launch._') and sys.modules.pop(module, None):
        delattr(sys.modules['launch'], module.removeprefix('launch.'))
    sys.argv = argv
    flags.FLAGS.unparse_flags()
    app._files = None
    flags.FLAGS.mark_as_parsed()
    logging.set_verbosity(logging.WARNING)
    flags.FLAGS['verbosity'].present = 0
  return Done(code, out.getvalue(), err.getvalue())
