"""The public interface: every name is there, and importing it costs nothing."""

import ast
import inspect
import subprocess
import sys

import pytest

import flaxheads


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


def test_the_example_calls_what_there_is():
  """The code in the docstring parses, and its calls fit their signatures."""
  paragraphs = flaxheads.__doc__.split('\n\n')
  code = [
    '\n'.join(line.removeprefix('  ') for line in paragraph.splitlines())
    for paragraph in paragraphs
    if paragraph.startswith('  ')
  ]
  tree = ast.parse('\n'.join(code))
  seen = set()
  for node in ast.walk(tree):
    if not isinstance(node, ast.Call):
      continue
    if ast.unparse(node.func).startswith('flaxheads.'):
      name = node.func.attr
      seen.add(name)
      signature = inspect.signature(getattr(flaxheads, name))
      keywords = {keyword.arg: None for keyword in node.keywords}
      signature.bind(*node.args, **keywords)
  assert {'load_model', 'load_support', 'finetune', 'animate'} <= seen
