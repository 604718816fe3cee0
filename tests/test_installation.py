"""How the package is installed in a clone."""

import pathlib
import shutil
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = 'from setuptools import build_meta as b; print(b.build_editable({!r}))'
IMPORT = (
  'import site; site.addsitedir({!r}); import flaxheads;'
  ' print(flaxheads.__file__)'
)


def _run(code, folder, *options):
  return subprocess.run(
    [sys.executable, *options, '-c', code],
    cwd=folder,
    check=True,
    capture_output=True,
    text=True,
  ).stdout.strip()


def test_it_is_found_from_the_folder_above_the_clone(tmp_path):
  """There a folder of the package's name lies in the way: the clone."""
  clone, wheels, site = (tmp_path / n for n in ('flaxheads', 'wheels', 'site'))
  (clone / 'flaxheads').mkdir(parents=True)
  (clone / 'flaxheads' / '__init__.py').write_text("__version__ = '1.2'")
  for name in (
    'setup.cfg',
    'setup.py',
    'pyproject.toml',
    'README.md',
    'LICENSE',
  ):
    shutil.copy(ROOT / name, clone)
  wheels.mkdir()
  name = _run(BUILD.format(str(wheels)), clone).splitlines()[-1]
  with zipfile.ZipFile(wheels / name) as wheel:
    wheel.extractall(site)
  for folder in (tmp_path, clone, wheels):
    # -S: the package may be installed where the tests run, and would win.
    found = _run(IMPORT.format(str(site)), folder, '-S')
    assert found == str(clone / 'flaxheads' / '__init__.py')
