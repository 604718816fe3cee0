"""The public interface: every name is there, and importing it costs nothing."""

import ast
import inspect
import json
import pathlib
import subprocess
import sys

import pytest

import flaxheads
from flaxheads.provenance import examine, identity
from tests.launch import footage


@pytest.mark.parametrize('name', flaxheads.__all__)
def test_every_public_name_is_there_and_documented(name):
  value = getattr(flaxheads, name)
  assert value.__name__ == name
  assert inspect.getdoc(value)
  assert getattr(flaxheads, name) is value
  assert name in dir(flaxheads)


def test_an_unknown_name_is_an_attribute_error():
  with pytest.raises(AttributeError, match="no attribute 'finetuen'"):
    _ = flaxheads.finetuen
  with pytest.raises(ImportError):
    from flaxheads import finetuen  # noqa: F401


def test_import_is_cheap_and_a_star_brings_all():
  script = (
    'import sys, flaxheads\n'
    'heavy = {"jax", "numpy", "av", "cv2", "tensorflow_datasets"}\n'
    'assert not heavy & set(sys.modules), heavy & set(sys.modules)\n'
    'from flaxheads import Config, UserError\n'
    'assert not heavy & set(sys.modules), heavy & set(sys.modules)\n'
    'from flaxheads import *\n'
    'assert callable(load_model) and callable(finetune)\n'
  )
  done = subprocess.run([sys.executable, '-c', script], capture_output=True)
  assert done.returncode == 0, done.stderr.decode()


def _examples():
  return [
    '\n'.join(line.removeprefix('  ') for line in paragraph.splitlines())
    for paragraph in flaxheads.__doc__.split('\n\n')
    if paragraph.startswith('  ')
  ]


def test_the_examples_call_what_there_is():
  """The code in the docstring parses, and its calls fit their signatures."""
  seen = set()
  for node in ast.walk(ast.parse('\n'.join(_examples()))):
    if not isinstance(node, ast.Call):
      continue
    if ast.unparse(node.func).startswith('flaxheads.'):
      name = node.func.attr
      seen.add(name)
      signature = inspect.signature(getattr(flaxheads, name))
      keywords = {keyword.arg: None for keyword in node.keywords}
      signature.bind(*node.args, **keywords)
  assert {'make_person', 'render_video', 'animate'} <= seen


def _run_example(code, tmp_path, monkeypatch):
  """Runs the first example in a folder with a picture and landmarks."""
  monkeypatch.chdir(tmp_path)
  footage.write_pictures(tmp_path / 'photos', 1)
  footage.write_video(tmp_path / 'clip.mp4', 3, 25)
  exec(code, {})  # what README and the docstring show, to the letter


def test_the_first_example_makes_a_signed_video(tmp_path, monkeypatch):
  _run_example(_examples()[0] + '\n' + _examples()[1], tmp_path, monkeypatch)
  finding = examine.examine(tmp_path / 'me.mp4', identity.trusted_roots())
  assert (finding.verdict, finding.credentials.state) == (
    'synthetic', 'trusted'
  )  # fmt: skip
  facts = finding.credentials.facts
  assert facts['rights'] == 'by the caller'
  assert [each['role'] for each in facts['ingredients']] == [
    'portrait', 'driver'
  ]  # fmt: skip
  report = json.loads((tmp_path / 'me.mp4.report.json').read_text())
  (driver,) = report['drivers']
  assert driver['motion'] == 'absolute' and driver['frames'] == 3
  assert report['method'] == 'bi-layer' and report['marks']['watermark']
  person = flaxheads.load_person('people/me')
  assert person.info['source'] == 'photos/'
  # Only what an earlier call made is replaced.
  (tmp_path / 'other.mp4').write_bytes(b'mine')
  with pytest.raises(flaxheads.UserError, match='no earlier call made it'):
    flaxheads.render_video(person, 'clip.mp4', 'other.mp4')
  with pytest.raises(flaxheads.UserError, match='say so with confirm_rights'):
    flaxheads.make_person('photos/')


ROOT = pathlib.Path(flaxheads.__path__[0]).parent
TRAINING = {
  'optax',
  'grain',
  'orbax',
  'array_record',
  'tensorflow_datasets',
  'tensorboardX',
  'flaxheads.training',
  'flaxheads.fewshot.finetuning',
}


def _module_imports(path):
  """Modules that are imported when a module is; not those of functions."""
  here = path.parent.relative_to(ROOT).as_posix().replace('/', '.')
  for node in ast.parse(path.read_text()).body:
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      base = here if node.level else node.module
      yield base
      yield from (f'{base}.{alias.name}' for alias in node.names)


def test_using_a_person_imports_no_training_code():
  todo, seen = ['launch.animate', 'flaxheads.api', 'flaxheads.web.session'], {}
  while todo:
    name = todo.pop()
    parts = name.split('.')
    for n in range(1, len(parts) + 1):  # a package is imported before a module
      module = '.'.join(parts[:n])
      assert module not in TRAINING, f'{seen[name]} imports {module}'
      base = ROOT / module.replace('.', '/')
      path = base / '__init__.py' if base.is_dir() else base.with_suffix('.py')
      for found in _module_imports(path) if path.is_file() else ():
        if found not in seen:
          seen[found] = module
          todo.append(found)
  assert {'flaxheads.fewshot.direct', 'launch._outputs'} <= seen.keys()


def test_using_a_person_loads_no_training_code():
  """Whatever the libraries below import, too."""
  script = (
    'import sys, launch.animate, flaxheads\n'
    f'print(*set(sys.modules) & {TRAINING!r})\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', script], capture_output=True, check=True, text=True
  )
  assert not done.stdout.split()
