"""Runs one reproduction script, or lists them: make proof NAME=x."""

import ast
import os
import sys
from pathlib import Path

from absl import flags

from flaxheads.errors import UserError
from launch import app

_NAME = flags.DEFINE_string('name', '', 'The script to run; empty lists them.')


def list_scripts() -> dict[str, str]:
  """First docstring line of each script by name, without importing any."""
  claims = {}
  for path in sorted(Path(__file__).parent.glob('[!_]*.py')):
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ''
    claims[path.stem] = docstring.partition('\n')[0]
  return claims


def main():
  claims = list_scripts()
  if _NAME.value in claims:
    module = f'{__package__}.{_NAME.value}'
    os.execv(sys.executable, [sys.executable, '-m', module])
  width = max(map(len, claims))
  for name, claim in claims.items():
    print(f'  {name:{width}}  {claim}')
  if _NAME.value:
    raise UserError(f'--name={_NAME.value}: not one of the scripts above')
  raise UserError('--name is missing: one of the scripts above')


if __name__ == '__main__':
  app.run(main)
