"""Each known mistake of reimplementations, made here, fails its own test.

python -m launch.proofs.mistakes

The source is copied to a temporary folder, where the tests must pass as they
are; then one mistake at a time is put into the copy, and its test must fail.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from absl import flags
from tqdm import tqdm

from flaxheads.errors import UserError
from launch import app
from launch.proofs import _mutations
from launch.proofs._mutations import MUTATIONS, Mutation

FLAGS = flags.FLAGS
flags.DEFINE_multi_integer('number', [], 'Mistakes to make; none: all.')

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_PARTS = ('flaxheads', 'configs', 'launch', 'tests', 'pyproject.toml')


def _copy(folder: pathlib.Path) -> None:
  leave = shutil.ignore_patterns('__pycache__', '*.safetensors')
  for part in _PARTS:
    if (ROOT / part).is_dir():
      shutil.copytree(ROOT / part, folder / part, ignore=leave)
    else:
      shutil.copy(ROOT / part, folder / part)


def _test(folder: pathlib.Path, arguments) -> tuple[int, str]:
  """Exit code of pytest in the copy, and why its first failure failed."""
  environment = {
    **os.environ,
    'PYTHONPATH': str(folder),
    'PYTHONDONTWRITEBYTECODE': '1',
    'JAX_COMPILATION_CACHE_DIR': str(folder / '.jax_cache'),
  }
  done = subprocess.run(
    [sys.executable, '-m', 'pytest', *arguments],
    cwd=folder,
    env=environment,
    capture_output=True,
    text=True,
  )
  reasons = re.findall(r'^E  +(\S.*[^:\s]) *$', done.stdout, re.MULTILINE)
  return done.returncode, reasons[0] if reasons else done.stdout[-2000:]


def _make(mutation: Mutation, folder: pathlib.Path) -> tuple[bool, str]:
  """Makes one mistake in the copy, tests, and takes it back."""
  path = folder / mutation.path
  good = path.read_text(encoding='utf-8')
  if good.count(mutation.old) != 1:
    raise RuntimeError(
      f'{mutation.path}: {mutation.old!r} is there {good.count(mutation.old)} '
      'times, not once: this proof must follow the source'
    )
  path.write_text(good.replace(mutation.old, mutation.new), encoding='utf-8')
  try:
    code, reason = _test(folder, [*mutation.tests, '-x'])
  finally:
    path.write_text(good, encoding='utf-8')
  return code == 1, reason  # 1: a test failed; other codes: none was run


def main():
  chosen = [m for m in MUTATIONS if m.number in (FLAGS.number or range(99))]
  if not chosen:
    raise UserError(f'--number={FLAGS.number}: mistakes are 1 to 15')
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    _copy(folder)
    code, reason = _test(folder, [*_mutations.FILES, '-k', 'test_mistake_'])
    print(f'as it is, every test passes: {"yes" if code == 0 else reason}')
    good = code == 0
    for mutation in tqdm(chosen, 'mistakes'):
      failed, reason = _make(mutation, folder)
      good &= failed
      verdict = 'test fails' if failed else 'NOT NOTICED'
      line = f'{mutation.number:2}  {mutation.what:48}  {verdict}'
      tqdm.write(f'{line}: {reason[:60]}')
  print('PASS' if good else 'FAIL')
  sys.exit(not good)


if __name__ == '__main__':
  app.run(main)
