"""What proofs share: running the commands, and reading their reports."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

from launch import app

Rows = dict[tuple[str, int], dict[str, dict]]  # (method, T) -> person -> row


def run(command: str) -> None:
  """Runs `python -m launch.<command>`; a failure ends the proof."""
  print(f'$ python -m launch.{command}', flush=True)
  words = shlex.split(command)
  words[0] = f'launch.{words[0]}'
  subprocess.run([sys.executable, '-m', *words], check=True)


def read_rows(report: Path) -> Rows:
  """The per-person results of launch.evaluate."""
  rows: Rows = {}
  for row in json.loads(report.read_text(encoding='utf-8'))['rows']:
    key = (row['method'], row['num_shots'])
    rows.setdefault(key, {})[row['person']] = row
  return rows


def mean(rows: Rows, method: str, num_shots: int, metric: str) -> float:
  """Mean of a metric over people."""
  values = [row[metric] for row in rows[method, num_shots].values()]
  return sum(values) / len(values)


def conclude(checks: list[tuple[str, bool]]) -> None:
  """Prints every check and the verdict; exits 1 where one fails."""
  for claim, holds in checks:
    print(f'{"PASS" if holds else "FAIL"}: {claim}')
  if not all(holds for _, holds in checks):
    raise SystemExit(app.FAILED)
