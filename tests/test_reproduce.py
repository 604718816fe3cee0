"""`make proof` lists the reproduction scripts, each with its claim."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_the_scripts_are_listed_with_their_claims():
  done = subprocess.run(
    [sys.executable, '-m', 'tests.reproduce', '--name=no_such_script'],
    capture_output=True,
    text=True,
    cwd=ROOT,
  )
  assert done.returncode == 2
  assert len(done.stderr.splitlines()) == 1
  listed = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
  scripts = (ROOT / 'tests' / 'reproduce').glob('[!_]*.py')
  assert sorted(listed) == sorted(path.stem for path in scripts)
