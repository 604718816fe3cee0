"""Runs one proof of launch/proofs, or lists them: make proof NAME=x."""

import os
import sys

from absl import flags

from flaxheads.errors import UserError
from launch import app, proofs

NAME = flags.DEFINE_string('name', '', 'The proof to run; empty lists them.')


def main():
  claims = proofs.list_proofs()
  if NAME.value in claims:
    module = f'launch.proofs.{NAME.value}'
    os.execv(sys.executable, [sys.executable, '-m', module])
  width = max(map(len, claims), default=0)
  for name, claim in claims.items():
    print(f'  {name:{width}}  {claim}')
  if NAME.value:
    raise UserError(f'--name={NAME.value}: not one of the proofs listed above')
  raise UserError('--name is missing: one of the proofs listed above')


if __name__ == '__main__':
  app.run(main)
